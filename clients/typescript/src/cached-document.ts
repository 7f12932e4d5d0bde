/** For how long a fetched document is good (RFC 9111), and when to ask for it again. Driven by the caller's clock. */

type Headers = Readonly<Record<string, string>>

export const COOL_DOWN_SECONDS = 10
export const RETRY_SECONDS = 1
const DEFAULT_SECONDS = 300
const MIN_SECONDS = 1
export const MAX_SECONDS = 86_400

/** Whether to ask before going on: not at all; one asks while the others go on; or nobody goes on without the answer. */
export type Ask = 'no' | 'background' | 'blocking'

/** What is known of a document's age. All times are of one clock, in seconds. */
export interface Freshness {
  readonly fetchedAt: number | null
  readonly freshUntil: number
  readonly askedAt: number | null
  readonly etag: string | null
}

export const NEVER_FETCHED: Freshness = { fetchedAt: null, freshUntil: 0, askedAt: null, etag: null }

/** After a request that was sent at `now`, whatever comes of it. */
export function asked(freshness: Freshness, now: number): Freshness {
  return { ...freshness, askedAt: now }
}

/** After an answer to a request that was sent at `now`. */
export function fetched(now: number, freshFor: number, etag: string | null): Freshness {
  return { fetchedAt: now, freshUntil: now + freshFor, askedAt: now, etag }
}

/** Whether the last request had no usable answer. */
export function isAway({ askedAt, fetchedAt }: Freshness): boolean {
  return askedAt !== fetchedAt
}

/** Not again within the cool-down, whether or not an answer came. */
export function mayAsk(freshness: Freshness, now: number, coolDown: number): boolean {
  return freshness.askedAt === null || now - freshness.askedAt >= coolDown
}

/** `max-age` less `Age`, between a second and a day; `unsaid` where the headers say nothing. */
export function freshSeconds(headers: Headers, unsaid = DEFAULT_SECONDS): number {
  const directives = (headers['cache-control'] ?? '').toLowerCase()
  if (/\bno-(store|cache)\b/.test(directives)) return MIN_SECONDS
  const maxAge = /\bmax-age="?([0-9]{1,9})\b/.exec(directives)?.[1]
  const seconds = maxAge === undefined ? unsaid : Number(maxAge)
  return Math.min(Math.max(seconds - ageSeconds(headers), MIN_SECONDS), MAX_SECONDS)
}

/** How long the answer lay in caches on the way (RFC 9111 section 5.1). */
export function ageSeconds(headers: Headers): number {
  const age = (headers.age ?? '').trim()
  return /^[0-9]{1,9}$/.test(age) ? Number(age) : 0
}

/** The header by which the server may answer 304 (RFC 9110 section 13.1.2). */
export function conditional(etag: string | null): Record<string, string> {
  return etag === null ? {} : { 'if-none-match': etag }
}
