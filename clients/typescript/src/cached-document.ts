/** Freshness of a fetched document (RFC 9111), and when to fetch it again. The caller supplies the time. */

type Headers = Readonly<Record<string, string>>

export const COOL_DOWN_SECONDS = 10
export const RETRY_SECONDS = 1
const DEFAULT_SECONDS = 300
const MIN_SECONDS = 1
export const MAX_SECONDS = 86_400

/** Whether to fetch first: no; one caller fetches while the others use the cached document; or every caller waits. */
export type Ask = 'no' | 'background' | 'blocking'

/** Age of a document. All times are seconds of one clock. */
export interface Freshness {
  readonly fetchedAt: number | null
  readonly freshUntil: number
  readonly askedAt: number | null
  readonly etag: string | null
}

export const NEVER_FETCHED: Freshness = { fetchedAt: null, freshUntil: 0, askedAt: null, etag: null }

/** Return the state after a request was sent at `now`. */
export function asked(freshness: Freshness, now: number): Freshness {
  return { ...freshness, askedAt: now }
}

/** Return the state after a response to a request that was sent at `now`. */
export function fetched(now: number, freshFor: number, etag: string | null): Freshness {
  return { fetchedAt: now, freshUntil: now + freshFor, askedAt: now, etag }
}

/** Return whether the last request had no usable response. */
export function isAway({ askedAt, fetchedAt }: Freshness): boolean {
  return askedAt !== fetchedAt
}

/** Return whether the cool-down since the last request is over. */
export function mayAsk(freshness: Freshness, now: number, coolDown: number): boolean {
  return freshness.askedAt === null || now - freshness.askedAt >= coolDown
}

/** Return `max-age` minus `Age`, between a second and a day, or `fallback` if there is no `max-age`. */
export function freshSeconds(headers: Headers, fallback = DEFAULT_SECONDS): number {
  const directives = (headers['cache-control'] ?? '').toLowerCase()
  if (/\bno-(store|cache)\b/.test(directives)) return MIN_SECONDS
  const maxAge = /\bmax-age="?([0-9]{1,9})\b/.exec(directives)?.[1]
  const seconds = maxAge === undefined ? fallback : Number(maxAge)
  return Math.min(Math.max(seconds - ageSeconds(headers), MIN_SECONDS), MAX_SECONDS)
}

/** Return the time that the response spent in caches (RFC 9111 section 5.1). */
export function ageSeconds(headers: Headers): number {
  const age = (headers.age ?? '').trim()
  return /^[0-9]{1,9}$/.test(age) ? Number(age) : 0
}

/** Return the header that allows the server to answer 304 (RFC 9110 section 13.1.2). */
export function conditional(etag: string | null): Record<string, string> {
  return etag === null ? {} : { 'if-none-match': etag }
}
