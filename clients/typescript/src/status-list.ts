/** Which tokens are ended: IETF Token Status List (draft-ietf-oauth-status-list-21), as JWT. */

import type { Rules, StatusReference } from './access-token.js'
import { originOf } from './addresses.js'
import {
  type Ask,
  ageSeconds,
  asked,
  conditional,
  type Freshness,
  fetched,
  freshSeconds,
  MOST_SECONDS,
  mayAsk,
  NEVER_FETCHED,
  RETRY_SECONDS,
} from './cached-document.js'
import { InvalidToken, UntrustedServer } from './errors.js'
import type { KeySet } from './key-set.js'
import type { Answer, Request } from './messages.js'
import { decodeBase64url, readJwt, type UnverifiedJwt, verifiedClaims } from './signed-jwt.js'
import { isNumber, isObject, type JsonObject } from './strict-json.js'

const TYPE = 'statuslist+jwt'
export const VALID = 0
const MOST_CHARACTERS = 8 * 1024 * 1024
const MOST_BYTES = 16 * 1024 * 1024

/** Statuses of `bits` bits each, packed; index 0 in the least significant bits of the first byte (section 4.1). */
export interface StatusList {
  readonly bits: number
  readonly statuses: Uint8Array
}

/** The status at this index; `null` where the list has no such index. */
export function statusAt({ bits, statuses }: StatusList, idx: number): number | null {
  const octet = statuses[Math.floor((idx * bits) / 8)]
  return octet === undefined ? null : (octet >> ((idx * bits) % 8)) & ((1 << bits) - 1)
}

/** From the claim `status_list` (section 4.2). Rejects with TypeError where it is none, or inflates to more than 16 MiB. */
export async function decodeStatusList(members: unknown): Promise<StatusList> {
  if (!isObject(members)) throw new TypeError('not a status list')
  const { bits, lst } = members
  if (typeof bits !== 'number' || ![1, 2, 4, 8].includes(bits) || typeof lst !== 'string') {
    throw new TypeError('not a status list')
  }
  return { bits, statuses: await inflated(decodeBase64url(lst)) }
}

/** What a good Status List Token says; `ttl` and `goodFor` are in seconds. */
export interface PublishedList {
  readonly statusList: StatusList
  readonly issuedAt: number
  readonly ttl: number | null
  readonly goodFor: number
}

/** A list as it was last fetched. */
export interface CachedList {
  readonly uri: string
  readonly statusList: StatusList | null
  readonly issuedAt: number
  readonly endsAt: number
  readonly freshness: Freshness
}

export function noList(uri: string): CachedList {
  return { uri, statusList: null, issuedAt: 0, endsAt: Number.POSITIVE_INFINITY, freshness: NEVER_FETCHED }
}

/** Once it is stale nobody goes on without asking, so that an end is noticed in time; one asks for all.
 *
 * While the server is away one asks now and then, and the others are not held up.
 */
export function askForList({ statusList, freshness }: CachedList, now: number): Ask {
  if (now < freshness.freshUntil || !mayAsk(freshness, now, RETRY_SECONDS)) return 'no'
  const isAway = freshness.askedAt !== freshness.fetchedAt
  return isAway && statusList !== null ? 'aside' : 'first'
}

/** Whether it may still be believed: fresh, or the server has been away for not too long. */
export function isUsable({ statusList, endsAt, freshness }: CachedList, now: number, mostAwaySeconds: number): boolean {
  return statusList !== null && now < Math.min(freshness.freshUntil + mostAwaySeconds, endsAt)
}

export function statusListRequest({ uri, freshness }: CachedList): Request {
  return { method: 'GET', url: uri, headers: { accept: 'application/statuslist+jwt', ...conditional(freshness.etag) } }
}

/** After a 304, which repeats the headers that count (RFC 9110 section 15.4.5). */
export function listUnchanged(cached: CachedList, answer: Answer, now: number): CachedList {
  const etag = answer.headers.etag ?? cached.freshness.etag
  return { ...cached, freshness: fetched(now, freshSeconds(answer.headers), etag) }
}

/** After an answer with this list. One that is older than what is known changes nothing, but is an answer. */
export function listReplaced(cached: CachedList, published: PublishedList, answer: Answer, now: number): CachedList {
  const freshness = fetched(now, freshFor(published, answer), answer.headers.etag ?? null)
  if (cached.statusList !== null && published.issuedAt < cached.issuedAt) {
    return { ...cached, freshness: { ...freshness, etag: null } }
  }
  const { statusList, issuedAt, goodFor } = published
  return { uri: cached.uri, statusList, issuedAt, endsAt: now + goodFor, freshness }
}

export function listLost(cached: CachedList, now: number): CachedList {
  return { ...cached, freshness: asked(cached.freshness, now) }
}

/** Whether to fetch from there: no token leads us anywhere but to its own issuer's host. */
export function mayFollow({ uri }: StatusReference, issuer: string): boolean {
  try {
    return originOf(uri) === originOf(issuer)
  } catch (error) {
    if (error instanceof UntrustedServer) return false
    throw error
  }
}

/** Throws InvalidToken where it is not even well formed (see `readJwt`). */
export function readStatusListToken(answer: Answer, rules: Rules): UnverifiedJwt {
  return readJwt(answer.body.trim(), TYPE, rules.algorithms, MOST_CHARACTERS)
}

/** The list of a good Status List Token (section 8.3). Rejects with InvalidToken for any other. */
export async function judgeStatusListToken(
  unverified: UnverifiedJwt,
  uri: string,
  rules: Rules,
  keys: KeySet,
  now: number,
): Promise<PublishedList> {
  const claims = await verifiedClaims(unverified, keys)
  const { iss = rules.issuer, sub, iat, exp = Number.POSITIVE_INFINITY, ttl = null } = claims
  if (iss !== rules.issuer) throw new InvalidToken('iss')
  if (sub !== uri) throw new InvalidToken('sub')
  if (!isNumber(iat) || !(ttl === null || (isNumber(ttl) && ttl > 0))) throw new InvalidToken('claims')
  if (typeof exp !== 'number' || now >= exp) throw new InvalidToken('exp')
  return { statusList: await listIn(claims), issuedAt: iat, ttl, goodFor: exp - now }
}

async function listIn(claims: JsonObject): Promise<StatusList> {
  try {
    return await decodeStatusList(claims.status_list)
  } catch {
    throw new InvalidToken('claims')
  }
}

/** `ttl` counts from when the list left the server (section 5.1), so time spent in caches counts too. */
function freshFor({ ttl }: PublishedList, answer: Answer): number {
  if (ttl === null) return freshSeconds(answer.headers)
  return Math.max(Math.min(ttl, MOST_SECONDS) - ageSeconds(answer.headers), RETRY_SECONDS)
}

/** One whole ZLIB stream (RFC 1950). Nothing is inflated beyond what a list may have. */
async function inflated(compressed: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  const reader = new Blob([compressed]).stream().pipeThrough(new DecompressionStream('deflate')).getReader()
  const chunks: Uint8Array[] = []
  let length = 0
  for (let read = await reader.read(); !read.done; read = await reader.read()) {
    chunks.push(read.value)
    length += read.value.length
    if (length > MOST_BYTES) {
      await reader.cancel()
      throw new TypeError('more than 16 MiB')
    }
  }
  const statuses = new Uint8Array(length)
  let end = 0
  for (const chunk of chunks) {
    statuses.set(chunk, end)
    end += chunk.length
  }
  return statuses
}
