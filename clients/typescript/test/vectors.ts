/** Files of tests/vectors. */

import { readFileSync } from 'node:fs'

// The vectors are untyped JSON: a wrong type fails its case.
// biome-ignore lint/suspicious/noExplicitAny: see above
export type Json = any

const FOLDER = new URL('../../../../tests/vectors/', import.meta.url)

export function read(name: string): Json {
  return JSON.parse(readFileSync(new URL(`${name}.json`, FOLDER), 'utf8'))
}

export function camelCase(name: string): string {
  return name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase())
}
