/** Status lists of revoked tokens: IETF Token Status List (draft-ietf-oauth-status-list-21), as JWT. */

import type { Rules, StatusReference } from './access-token.js'
import { originOf } from './addresses.js'
import { decodeBase64url } from './base64url.js'
import {
  type Ask,
  ageSeconds,
  asked,
  conditional,
  type Freshness,
  fetched,
  freshSeconds,
  isAway,
  MAX_SECONDS,
  mayAsk,
  NEVER_FETCHED,
  RETRY_SECONDS,
} from './cached-document.js'
import { InvalidTokenError, UntrustedServerError } from './errors.js'
import type { KeySet } from './key-set.js'
import type { Answer, Request } from './messages.js'
import { readJwt, type UnverifiedJwt, verifiedClaims } from './signed-jwt.js'
import { isNumber, isObject, type JsonObject } from './strict-json.js'

const TYPE = 'statuslist+jwt'
export const VALID = 0
const MAX_CHARACTERS = 8 * 1024 * 1024
const MAX_BYTES = 16 * 1024 * 1024

/** Packed statuses of `bits` bits each; index 0 is in the least significant bits of the first byte (section 4.1). */
export interface StatusList {
  readonly bits: number
  readonly statuses: Uint8Array
}

/** Return the status at this index, or `null` if the list has no such index. */
export function statusAt({ bits, statuses }: StatusList, idx: number): number | null {
  const octet = statuses[Math.floor((idx * bits) / 8)]
  return octet === undefined ? null : (octet >> ((idx * bits) % 8)) & ((1 << bits) - 1)
}

/** Decode the claim `status_list` (section 4.2). Reject with TypeError if malformed, or above 16 MiB decompressed. */
export async function decodeStatusList(members: unknown): Promise<StatusList> {
  if (!isObject(members)) throw new TypeError('not a status list')
  const { bits, lst } = members
  if (typeof bits !== 'number' || ![1, 2, 4, 8].includes(bits) || typeof lst !== 'string') {
    throw new TypeError('not a status list')
  }
  return { bits, statuses: await inflated(decodeBase64url(lst)) }
}

/** The content of a verified Status List Token; `ttl` and `goodFor` are in seconds. */
export interface PublishedList {
  readonly statusList: StatusList
  readonly issuedAt: number
  readonly ttl: number | null
  readonly goodFor: number
}

/** A list, as last fetched. */
export interface CachedList {
  readonly uri: string
  readonly statusList: StatusList | null
  readonly issuedAt: number
  readonly ttl: number | null
  readonly endsAt: number
  readonly freshness: Freshness
}

export function noList(uri: string): CachedList {
  return { uri, statusList: null, issuedAt: 0, ttl: null, endsAt: Number.POSITIVE_INFINITY, freshness: NEVER_FETCHED }
}

/** Return whether to fetch the list. If it is stale, every caller waits for one fetch, so that ends are noticed.
 *
 * While the server is unavailable, one caller tries from time to time, and the others do not wait.
 */
export function askForList({ statusList, freshness }: CachedList, now: number): Ask {
  if (now < freshness.freshUntil || !mayAsk(freshness, now, RETRY_SECONDS)) return 'no'
  return isAway(freshness) && statusList !== null ? 'background' : 'blocking'
}

/** Return whether the list can be used: fresh, or stale for at most `maxStaleSeconds`. */
export function isUsable({ statusList, endsAt, freshness }: CachedList, now: number, maxStaleSeconds: number): boolean {
  return statusList !== null && now < Math.min(freshness.freshUntil + maxStaleSeconds, endsAt)
}

export function statusListRequest({ uri, freshness }: CachedList): Request {
  return { method: 'GET', url: uri, headers: { accept: 'application/statuslist+jwt', ...conditional(freshness.etag) } }
}

/** Return the state after the response to a request at `now`; an unusable one only delays the next request. */
export async function listAnswered(
  cached: CachedList,
  answer: Answer | null,
  rules: Rules,
  keys: KeySet,
  now: number,
  timeOfDay: number,
): Promise<CachedList> {
  const lost = { ...cached, freshness: asked(cached.freshness, now) }
  if (answer?.status === 304 && cached.statusList !== null) {
    return { ...cached, freshness: freshnessAfter(cached, cached.ttl, answer, now) }
  }
  const published = answer?.status === 200 ? await publishedIn(answer, cached.uri, rules, keys, timeOfDay) : null
  if (answer === null || published === null) return lost
  const freshness = freshnessAfter(cached, published.ttl, answer, now)
  // A cached list from the future was signed by a clock that was ahead: any other list is newer.
  const isAhead = cached.issuedAt > timeOfDay + rules.skewSeconds
  if (cached.statusList !== null && published.issuedAt < cached.issuedAt && !isAhead) {
    return { ...cached, freshness: { ...freshness, etag: null } } // older than the cached list, but the server responds
  }
  const { statusList, issuedAt, ttl, goodFor } = published
  return { uri: cached.uri, statusList, issuedAt, ttl, endsAt: now + goodFor, freshness }
}

/** Return whether to fetch from this URL: only from the host of the token's issuer. */
export function mayFollow({ uri }: StatusReference, issuer: string): boolean {
  try {
    return originOf(uri) === originOf(issuer)
  } catch (error) {
    if (error instanceof UntrustedServerError) return false
    throw error
  }
}

/** Parse the token. Throw InvalidTokenError if it is malformed (see `readJwt`). */
export function readStatusListToken(answer: Answer, rules: Rules): UnverifiedJwt {
  return readJwt(answer.body.trim(), [TYPE], rules.algorithms, MAX_CHARACTERS)
}

/** Return the list of a Status List Token (section 8.3). Reject with InvalidTokenError if it is not valid. */
export async function judgeStatusListToken(
  unverified: UnverifiedJwt,
  uri: string,
  rules: Rules,
  keys: KeySet,
  now: number,
): Promise<PublishedList> {
  const claims = await verifiedClaims(unverified, keys)
  const { iss = rules.issuer, sub, iat, exp = Number.POSITIVE_INFINITY, ttl = null } = claims
  if (iss !== rules.issuer) throw new InvalidTokenError('iss')
  if (sub !== uri) throw new InvalidTokenError('sub')
  if (!isNumber(iat) || !(ttl === null || (isNumber(ttl) && ttl > 0))) throw new InvalidTokenError('claims')
  if (typeof exp !== 'number' || now >= exp) throw new InvalidTokenError('exp')
  return { statusList: await listIn(claims), issuedAt: iat, ttl, goodFor: exp - now }
}

/** Return the list, or `null` if it is not valid. */
async function publishedIn(answer: Answer, uri: string, rules: Rules, keys: KeySet, timeOfDay: number) {
  try {
    return await judgeStatusListToken(readStatusListToken(answer, rules), uri, rules, keys, timeOfDay)
  } catch (error) {
    if (error instanceof InvalidTokenError) return null
    throw error
  }
}

async function listIn(claims: JsonObject): Promise<StatusList> {
  try {
    return await decodeStatusList(claims.status_list)
  } catch {
    throw new InvalidTokenError('claims')
  }
}

/** Return the freshness. `ttl` starts at the server (section 5.1): time spent in caches is subtracted. */
function freshnessAfter({ freshness }: CachedList, ttl: number | null, answer: Answer, now: number): Freshness {
  const { headers } = answer
  const remaining = ttl === null ? freshSeconds(headers) : Math.min(ttl, MAX_SECONDS) - ageSeconds(headers)
  return fetched(now, Math.max(remaining, RETRY_SECONDS), headers.etag ?? freshness.etag)
}

/** Decompress one complete ZLIB stream (RFC 1950), up to the maximum size of a list. */
async function inflated(compressed: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  const stream = new Blob([compressed]).stream().pipeThrough(new DecompressionStream('deflate'))
  try {
    return await joined(stream.getReader())
  } catch (error) {
    throw new TypeError(`not a ZLIB stream of at most 16 MiB: ${error}`)
  }
}

async function joined(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let length = 0
  for (let read = await reader.read(); !read.done; read = await reader.read()) {
    chunks.push(read.value)
    length += read.value.length
    if (length > MAX_BYTES) {
      await reader.cancel()
      throw new TypeError('too long')
    }
  }
  const octets = new Uint8Array(length)
  let end = 0
  for (const chunk of chunks) {
    octets.set(chunk, end)
    end += chunk.length
  }
  return octets
}
