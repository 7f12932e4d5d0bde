/** Vectors and scenarios of tests/vectors: how they are read, and how outcomes are compared with them. */

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { inspect } from 'node:util'
import { AccessToken, DPoP, ProtectedResource } from '@jeton/client'
import type { Answer } from '@jeton/client/messages'

// The vectors are untyped JSON: a wrong type fails its case.
// biome-ignore lint/suspicious/noExplicitAny: see above
export type Json = any

export const ISSUER = 'https://as.example/tenant'
export const AUDIENCE = 'https://api.example'
export const START = 1_800_000_000
const FOLDER = new URL('../../../../tests/vectors/', import.meta.url)

export function read(name: string): Json {
  return JSON.parse(readFileSync(new URL(`${name}.json`, FOLDER), 'utf8'))
}

export const SERVER = read('scenarios/server')
export const TOKENS = read('tokens')
const KEYS = new Map(read('public_keys').keys.map((key: Json) => [key.kid, key]))

/** Return the response of a vector, or `null` if it is lost. A body that is an object is rendered as JSON. */
export function answerOf(members: Json): Answer | null {
  if (members === null) return null
  const { status = 200, headers = {}, token, keys } = members
  const body = named(members.body)
  const text = TOKENS[token] ?? (keys && { keys: keys.map((key: Json) => KEYS.get(key) ?? key) }) ?? body ?? ''
  return { status, headers, body: typeof text === 'string' ? text : JSON.stringify(text) }
}

/** Return the key of a vector: as it is, or a published one with changed members. */
export function jwkOf({ jwk, key, with: changed = {}, without = [] }: Json): Json {
  const members = Object.entries({ ...(jwk ?? KEYS.get(key)), ...changed })
  return Object.fromEntries(members.filter(([name]) => !without.includes(name)))
}

/** Return the resource of a vector: by default at the audience, and at the time of the vectors. */
export function resourceOf({ dpop, ...members }: Json): ProtectedResource {
  const options = { identifier: AUDIENCE, authorizationServers: [ISSUER], ...camelCased(members) }
  if (dpop !== undefined) options.dpop = new DPoP({ ...dpop, clock: () => START })
  return new ProtectedResource(options)
}

/** Return the body; its ID token can be the name of one. */
function named(body: Json): Json {
  return body?.id_token in TOKENS ? { ...body, id_token: TOKENS[body.id_token] } : body
}

export function camelCase(name: string): string {
  return name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase())
}

export function camelCased(members: Json): Json {
  if (members === null || typeof members !== 'object' || Array.isArray(members)) return members
  return Object.fromEntries(Object.entries(members).map(([name, value]) => [camelCase(name), camelCased(value)]))
}

export function snakeCased(members: object): Json {
  const snakeCase = (name: string) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
  return Object.fromEntries(Object.entries(members).map(([name, value]) => [snakeCase(name), value]))
}

/** Check what a vector `raises` (the name of the error, and members) or `returns` (of objects, these members). */
export function check({ raises, returns }: Json, outcome: PromiseSettledResult<Json>): void {
  if (outcome.status === 'rejected') {
    if (raises === undefined) throw outcome.reason
    checkError(typeof raises === 'string' ? { name: raises } : camelCased(raises), outcome.reason)
    return
  }
  assert.equal(raises, undefined, `${inspect(outcome.value)} instead of an error`)
  const value = outcome.value instanceof AccessToken ? factsOf(outcome.value) : outcome.value
  const isObject = typeof returns === 'object' && returns !== null && !Array.isArray(returns)
  assert.deepEqual(isObject ? pick(value, returns) : value, returns)
}

function checkError(expected: Json, error: Json): void {
  assert.doesNotMatch(String(error), /the-password/)
  // Vectors have one name for what is ValueError in Python.
  if (expected.name === 'ValueError') assert.ok(error instanceof TypeError || error instanceof SyntaxError)
  else assert.deepEqual(pick(error, expected), expected)
}

function pick(value: Json, names: Json): Json {
  return Object.fromEntries(Object.keys(names).map((name) => [name, value[name]]))
}

function factsOf({ subject, clientId: client_id, scope, roles, expiresAt, status }: AccessToken): Json {
  const expires_at = expiresAt === Number.POSITIVE_INFINITY ? null : expiresAt
  return { subject, client_id, scope: [...scope].sort(), roles, expires_at, status }
}
