/** JSON objects, read so that no two readers can disagree about them (RFC 8259 section 4, RFC 8725 section 2.4). */

export type JsonObject = Readonly<Record<string, unknown>>

const MAX_DEPTH = 64
const TOKENS = /"(?:[^"\\]|\\.)*"|[{}[\]:]/g

/** The object. Throws SyntaxError for anything else, and below 64 levels.
 *
 * It throws also for a name that comes twice, at any depth; without `uniqueNames` the last one counts.
 */
export function parseObject(text: string, { uniqueNames = true } = {}): JsonObject {
  const value: unknown = JSON.parse(text)
  if (!isObject(value)) throw new SyntaxError('not an object')
  checkNesting(text, uniqueNames)
  return value
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** A number that every language reads alike: finite, and no further from zero than 2^53 - 1. */
export function isNumber(value: unknown): value is number {
  return typeof value === 'number' && Math.abs(value) <= Number.MAX_SAFE_INTEGER
}

/** Of valid JSON: throws where it is too deep, or where an object has one name twice, however that is escaped. */
function checkNesting(text: string, uniqueNames: boolean): void {
  const open: Set<string>[] = []
  let previous = ''
  for (const token of text.match(TOKENS) ?? []) {
    if (open.length > MAX_DEPTH) throw new SyntaxError('nested too deeply')
    if (token === '{' || token === '[') open.push(new Set())
    else if (token === '}' || token === ']') open.pop()
    else if (token === ':' && uniqueNames) {
      const name: string = previous.includes('\\') ? JSON.parse(previous) : previous.slice(1, -1)
      const names = open.at(-1)
      if (names?.has(name)) throw new SyntaxError('a name comes twice')
      names?.add(name)
    }
    previous = token
  }
}
