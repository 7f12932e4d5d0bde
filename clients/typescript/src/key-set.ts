/** Public keys by `kid` (RFC 7517): which ones can verify, how long they are cached, when to fetch them again. */

import { importJWK } from 'jose'
import { type VerifySignature, verifySignatureBy } from '#signature'
import { decodeBase64url } from './base64url.js'
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
const MIN_RSA_BITS = 2048
/** The maximum of OpenSSL. */
const MAX_RSA_BITS = 16_384
export const MAX_STALE_SECONDS = 3600
const MAX_KEYS = 100
const CURVES = new Map<unknown, string>([
  ['EC', 'P-256'],
  ['OKP', 'Ed25519'],
])
/** The base64url members of a public key, by key type. */
const NUMBERS = new Map<unknown, readonly string[]>([
  ['RSA', ['n', 'e']],
  ['EC', ['x', 'y']],
  ['OKP', ['x']],
])

/** Throw TypeError unless these are some of the library's algorithms. */
export function requireAlgorithms(algorithms: readonly string[]): void {
  if (algorithms.length === 0 || !algorithms.every((algorithm) => Object.hasOwn(ALGORITHMS, algorithm))) {
    throw new TypeError(`algorithms must be among ${Object.keys(ALGORITHMS).join(', ')}`)
  }
}

/** A key, with a verifier for each allowed algorithm. Equal keys have equal `facts`. */
export interface VerificationKey {
  readonly byAlgorithm: ReadonlyMap<string, VerifySignature>
  readonly facts: string
}

export type KeySet = ReadonlyMap<string, VerificationKey>

/** The keys of one issuer, as last fetched. When no longer fresh, they are used for `maxStaleSeconds` more.
 *
 * That bridges an unavailable server, without trusting a withdrawn key indefinitely.
 */
export interface CachedKeys {
  readonly keys: KeySet | null
  readonly freshness: Freshness
  readonly maxStaleSeconds: number
}

export const NO_KEYS: CachedKeys = { keys: null, freshness: NEVER_FETCHED, maxStaleSeconds: MAX_STALE_SECONDS }

/** Return the keys that are trusted now, or `null` if there are none. */
export function usableKeys({ keys, freshness, maxStaleSeconds }: CachedKeys, now: number): KeySet | null {
  return now < freshness.freshUntil + maxStaleSeconds ? keys : null
}

/** Return the keys that can verify a signature; ignore the others. Reject with TypeError if it is not a key set. */
export async function parseKeySet(members: JsonObject): Promise<KeySet> {
  const { keys } = members
  if (!Array.isArray(keys) || keys.length > MAX_KEYS) throw new TypeError(`not a key set of at most ${MAX_KEYS} keys`)
  const found = new Map<string, VerificationKey>()
  for (const jwk of keys) {
    const kid = isObject(jwk) ? jwk.kid : null
    const usable = typeof kid === 'string' && kid !== '' ? await usableKey(jwk) : null
    if (usable !== null && !found.has(jwk.kid)) found.set(jwk.kid, usable)
  }
  return found
}

/** Return whether to fetch the set for a token with this `kid`. Limited, because anyone can write any `kid`. */
export function askForKey(cached: CachedKeys, kid: string, now: number): Ask {
  const { freshness } = cached
  const keys = usableKeys(cached, now)
  if (!mayAsk(freshness, now, keys === null ? RETRY_SECONDS : COOL_DOWN_SECONDS)) return 'no'
  if (!keys?.has(kid)) return 'blocking'
  return now >= freshness.freshUntil ? 'background' : 'no'
}

export function keySetRequest({ freshness }: CachedKeys, jwksUri: string): Request {
  return { method: 'GET', url: jwksUri, headers: { accept: 'application/json', ...conditional(freshness.etag) } }
}

/** Return the state after the response to a request at `now`; an unusable one only delays the next request. */
export async function keysAnswered(cached: CachedKeys, answer: Answer | null, now: number): Promise<CachedKeys> {
  const lost = { ...cached, freshness: asked(cached.freshness, now) }
  if (answer === null) return lost
  const etag = answer.headers.etag ?? null
  if (answer.status === 304 && cached.keys !== null) {
    return { ...cached, freshness: fetched(now, freshSeconds(answer.headers), etag ?? cached.freshness.etag) }
  }
  const members = answer.status === 200 ? jsonObjectIn(answer, { uniqueNames: false }) : null
  const keys = members && (await parseKeySet(members).catch(() => null))
  if (keys === null) return lost
  // The same object if nothing changed, so that tokens verified with it remain verified.
  const unchanged = cached.keys !== null && areSame(keys, cached.keys)
  const freshness = fetched(now, freshSeconds(answer.headers), etag)
  return { ...cached, keys: unchanged ? cached.keys : keys, freshness }
}

/** Return the key, or `null` if it cannot verify signatures, is malformed or weak. Private members are ignored. */
export async function usableKey(jwk: JsonObject): Promise<VerificationKey | null> {
  const { kty, alg, use = 'sig', key_ops: operations = ['verify'] } = jwk
  const numbers = NUMBERS.get(kty)
  if (numbers === undefined || use !== 'sig') return null
  if (!Array.isArray(operations) || !operations.includes('verify')) return null
  // No private and no unknown members.
  const key = Object.fromEntries(['kty', 'crv', ...numbers].map((name) => [name, jwk[name]]))
  if (!numbers.every((name) => isBase64url(jwk[name])) || (kty !== 'RSA' && jwk.crv !== CURVES.get(kty))) return null
  if (kty === 'RSA' && !isExponent(String(jwk.e))) return null
  const byAlgorithm = new Map<string, VerifySignature>()
  for (const [algorithm, forKty] of Object.entries(ALGORITHMS)) {
    if (forKty !== kty || (alg !== undefined && alg !== algorithm)) continue
    const imported = await importedKey(key, algorithm)
    if (imported !== null) byAlgorithm.set(algorithm, imported)
  }
  const facts = JSON.stringify([key, [...byAlgorithm.keys()]])
  return byAlgorithm.size === 0 ? null : { byAlgorithm, facts }
}

/** Return whether it is odd, at least 3, and at most eight octets long. With 1, anyone could sign. */
function isExponent(text: string): boolean {
  const octets = decodeBase64url(text)
  const isAboveOne = octets.some((octet, place) => octet > (place === octets.length - 1 ? 1 : 0))
  return octets.length <= 8 && isAboveOne && (octets.at(-1) ?? 0) % 2 === 1
}

function isBase64url(value: unknown): boolean {
  try {
    return typeof value === 'string' && decodeBase64url(value).length > 0
  } catch {
    return false
  }
}

/** Return the key, or `null` if it is malformed or weak. No error of one key may affect the others. */
async function importedKey(jwk: Record<string, unknown>, algorithm: string): Promise<VerifySignature | null> {
  try {
    const key = await importJWK(jwk, algorithm)
    if (key instanceof Uint8Array) return null
    const { modulusLength = MIN_RSA_BITS } = key.algorithm as { modulusLength?: number }
    const isStrong = modulusLength >= MIN_RSA_BITS && modulusLength <= MAX_RSA_BITS
    return isStrong ? verifySignatureBy(key, algorithm) : null
  } catch {
    return null
  }
}

function areSame(keys: KeySet, others: KeySet): boolean {
  return keys.size === others.size && [...keys].every(([kid, key]) => others.get(kid)?.facts === key.facts)
}
