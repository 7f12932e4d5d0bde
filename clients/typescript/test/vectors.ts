/** Files of tests/vectors. */

import { readFileSync } from 'node:fs'
import type { Answer } from '@jeton/client/messages'

// The vectors are untyped JSON: a wrong type fails its case.
// biome-ignore lint/suspicious/noExplicitAny: see above
export type Json = any

const FOLDER = new URL('../../../../tests/vectors/', import.meta.url)

export function read(name: string): Json {
  return JSON.parse(readFileSync(new URL(`${name}.json`, FOLDER), 'utf8'))
}

const KEYS = new Map(read('public_keys').keys.map((key: Json) => [key.kid, key]))
export const TOKENS = read('tokens')

/** Return the response of a vector, or `null` if it is lost. A body that is an object is rendered as JSON. */
export function answerOf(members: Json): Answer | null {
  if (members === null) return null
  const {
    status = 200,
    headers = {},
    token,
    keys,
    body = keys && { keys: keys.map((kid: string) => KEYS.get(kid)) },
  } = members
  const text = TOKENS[token] ?? body ?? ''
  return { status, headers, body: typeof text === 'string' ? text : JSON.stringify(text) }
}

export function camelCase(name: string): string {
  return name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase())
}
