/** Public keys by `kid` (RFC 7517): which of a set can verify, how long they are good, when to ask for them again. */

import { importJWK } from 'jose'
import { type VerifySignature, verifySignatureBy } from '#signature'
import {
  type Ask,
  asked,
  COOL_DOWN_SECONDS,
  conditional,
  type Freshness,
  fetched,
  freshSeconds,
  mayAsk,
  NEVER_FETCHED,
  RETRY_SECONDS,
} from './cached-document.js'
import { type Answer, jsonObjectIn, type Request } from './messages.js'
import { isObject, type JsonObject } from './strict-json.js'

export const ALGORITHMS: Readonly<Record<string, string>> = {
  RS256: 'RSA',
  PS256: 'RSA',
  ES256: 'EC',
  EdDSA: 'OKP',
  Ed25519: 'OKP',
}
const LEAST_RSA_BITS = 2048
const MOST_KEYS = 100
const MEMBERS: Readonly<Record<string, readonly string[]>> = {
  RSA: ['kty', 'n', 'e'],
  EC: ['kty', 'crv', 'x', 'y'],
  OKP: ['kty', 'crv', 'x'],
}

/** A key, as it is used with each algorithm that it may be used with. `facts` are equal where keys are. */
export interface VerificationKey {
  readonly byAlgorithm: ReadonlyMap<string, VerifySignature>
  readonly facts: string
}

export type KeySet = ReadonlyMap<string, VerificationKey>

/** The keys of one issuer, as they were last fetched; they stay good while the server is away. */
export interface CachedKeys {
  readonly keys: KeySet | null
  readonly freshness: Freshness
}

export const NO_KEYS: CachedKeys = { keys: null, freshness: NEVER_FETCHED }

/** The keys that can verify a signature; the rest is left out. Rejects with TypeError where this is no key set at all. */
export async function parseKeySet(members: JsonObject): Promise<KeySet> {
  const { keys } = members
  if (!Array.isArray(keys) || keys.length > MOST_KEYS) throw new TypeError(`not a key set of at most ${MOST_KEYS} keys`)
  const found = new Map<string, VerificationKey>()
  for (const jwk of keys) {
    const usable = isObject(jwk) ? await usableKey(jwk) : null
    if (usable !== null && !found.has(jwk.kid)) found.set(jwk.kid, usable)
  }
  return found
}

/** Whether to fetch the set, for a token that names this key. Anybody can write any `kid`: so not too often. */
export function askForKey({ keys, freshness }: CachedKeys, kid: string, now: number): Ask {
  if (!mayAsk(freshness, now, keys === null ? RETRY_SECONDS : COOL_DOWN_SECONDS)) return 'no'
  if (!keys?.has(kid)) return 'first'
  return now >= freshness.freshUntil ? 'aside' : 'no'
}

export function keySetRequest({ freshness }: CachedKeys, jwksUri: string): Request {
  return { method: 'GET', url: jwksUri, headers: { accept: 'application/json', ...conditional(freshness.etag) } }
}

/** After an answer that was asked for at `now`; one that is none changes nothing but when to ask again. */
export async function keysAnswered(cached: CachedKeys, answer: Answer | null, now: number): Promise<CachedKeys> {
  const lost = { ...cached, freshness: asked(cached.freshness, now) }
  if (answer === null) return lost
  const etag = answer.headers.etag ?? null
  if (answer.status === 304 && cached.keys !== null) {
    return { ...cached, freshness: fetched(now, freshSeconds(answer.headers), etag ?? cached.freshness.etag) }
  }
  const members = answer.status === 200 ? jsonObjectIn(answer) : null
  const keys = members && (await parseKeySet(members).catch(() => null))
  if (keys === null) return lost
  // The very same set where nothing changed, so that what was verified by it stays verified.
  const unchanged = cached.keys !== null && areSame(keys, cached.keys)
  return { keys: unchanged ? cached.keys : keys, freshness: fetched(now, freshSeconds(answer.headers), etag) }
}

async function usableKey(jwk: JsonObject): Promise<VerificationKey | null> {
  const { kty, kid, alg, use = 'sig', key_ops: operations = ['verify'] } = jwk
  const members = typeof kty === 'string' ? MEMBERS[kty] : undefined
  if (typeof kid !== 'string' || kid === '' || members === undefined || use !== 'sig') return null
  if (!Array.isArray(operations) || !operations.includes('verify')) return null
  // Nothing private, nothing unknown.
  const key = Object.fromEntries(members.map((name) => [name, jwk[name]]))
  const byAlgorithm = new Map<string, VerifySignature>()
  for (const [algorithm, forKty] of Object.entries(ALGORITHMS)) {
    if (forKty !== kty || (alg !== undefined && alg !== algorithm)) continue
    const imported = await importedKey(key, algorithm)
    if (imported !== null) byAlgorithm.set(algorithm, imported)
  }
  const facts = JSON.stringify([key, [...byAlgorithm.keys()]])
  return byAlgorithm.size === 0 ? null : { byAlgorithm, facts }
}

async function importedKey(jwk: Record<string, unknown>, algorithm: string): Promise<VerifySignature | null> {
  try {
    const key = await importJWK(jwk, algorithm)
    if (key instanceof Uint8Array) return null
    const { modulusLength = LEAST_RSA_BITS } = key.algorithm as { modulusLength?: number }
    return modulusLength >= LEAST_RSA_BITS ? verifySignatureBy(key, algorithm) : null
  } catch {
    return null
  }
}

function areSame(keys: KeySet, others: KeySet): boolean {
  return keys.size === others.size && [...keys].every(([kid, key]) => others.get(kid)?.facts === key.facts)
}
