/** JSON objects, read so that no two readers can disagree about them (RFC 8259 section 4, RFC 8725 section 2.4). */

export type JsonObject = Readonly<Record<string, unknown>>

const TOKENS = /"(?:[^"\\]|\\.)*"|[{}[\]:]/g

/** The object. Throws SyntaxError for anything else, and for a name that comes twice, at any depth. */
export function parseObject(text: string): JsonObject {
  const value: unknown = JSON.parse(text)
  if (!isObject(value)) throw new SyntaxError('not an object')
  if (hasNameTwice(text)) throw new SyntaxError('a name comes twice')
  return value
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** A number that every language reads alike: finite, and no further from zero than 2^53 - 1. */
export function isNumber(value: unknown): value is number {
  return typeof value === 'number' && Math.abs(value) <= Number.MAX_SAFE_INTEGER
}

/** Whether an object in this valid JSON text has one name twice, however it is escaped. */
function hasNameTwice(text: string): boolean {
  const open: Set<string>[] = []
  let previous = ''
  for (const token of text.match(TOKENS) ?? []) {
    if (token === '{' || token === '[') open.push(new Set())
    else if (token === '}' || token === ']') open.pop()
    else if (token === ':') {
      const name: string = previous.includes('\\') ? JSON.parse(previous) : previous.slice(1, -1)
      const names = open.at(-1)
      if (names?.has(name)) return true
      names?.add(name)
    }
    previous = token
  }
  return false
}
