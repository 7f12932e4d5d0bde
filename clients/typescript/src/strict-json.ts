/** Strict JSON objects, on which all parsers agree (RFC 8259 section 4, RFC 8725 section 2.4). */

export type JsonObject = Readonly<Record<string, unknown>>

const MAX_DEPTH = 64
const TOKENS = /"(?:[^"\\]|\\.)*"|[{}[\]:]/g

/** Return the object. Throw SyntaxError for anything else, and beyond 64 levels.
 *
 * Throw it also for duplicate names, at any depth; without `uniqueNames`, the last one counts.
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

/** Return whether it is a number that all languages parse alike: finite, magnitude at most 2^53 - 1. */
export function isNumber(value: unknown): value is number {
  return typeof value === 'number' && Math.abs(value) <= Number.MAX_SAFE_INTEGER
}

/** Throw if valid JSON is too deep, or if an object has a duplicate name, however escaped. */
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
      if (names?.has(name)) throw new SyntaxError('duplicate name')
      names?.add(name)
    }
    previous = token
  }
}
