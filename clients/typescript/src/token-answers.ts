/** Interpretation of responses (RFC 6749 sections 5.1 and 5.2, RFC 7009 section 2.2). */

import { RefusedError } from './errors.js'
import { type Answer, jsonObjectIn } from './messages.js'
import { isNumber, type JsonObject } from './strict-json.js'

const MAX_RETRY_AFTER = 60
const MAX_DESCRIPTION = 200
const PASSING: readonly number[] = [408, 425, 429]
const PASSING_ERRORS: readonly string[] = ['server_error', 'temporarily_unavailable']

/** Issued tokens. Times are seconds since 1970; `expiresAt` is `null` if the server did not state it. */
export interface Tokens {
  readonly accessToken: string
  readonly receivedAt: number
  readonly expiresAt: number | null
  readonly refreshToken: string | null
  readonly scope: string | null
  readonly idToken: string | null
}

/** A lost or unusable response: repeat the same request, `after` this number of seconds if the server states it. */
export class TryAgain {
  readonly after: number | null

  constructor(after: number | null = null) {
    this.after = after
  }
}

/** Interpret a token endpoint's response to a request that was sent at `askedAt`.
 *
 * With `forwarded`, the response may lack the access token, which a web server then adds: it is `''`.
 */
export function judgeTokenAnswer(
  answer: Answer | null,
  askedAt: number,
  forwarded = false,
): Tokens | TryAgain | RefusedError {
  const refusal = refusalIn(answer)
  if (refusal !== null || answer === null) return refusal ?? new TryAgain()
  const members = answer.status === 200 ? jsonObjectIn(answer) : null
  const accessToken = members?.access_token ?? (forwarded ? '' : null)
  if (members === null || typeof accessToken !== 'string' || !(accessToken || forwarded)) return new TryAgain()
  const { token_type: type } = members
  if (typeof type !== 'string' || type.toLowerCase() !== 'bearer') {
    return new RefusedError('unsupported_token_type', 'the server issued a token that is not a Bearer token')
  }
  return tokensIn(members, accessToken, askedAt)
}

/** Return `null` if the token is revoked, or was invalid already. */
export function judgeRevocationAnswer(answer: Answer | null): TryAgain | RefusedError | null {
  const refusal = refusalIn(answer)
  if (refusal !== null || answer === null) return refusal ?? new TryAgain()
  return answer.status === 200 ? null : new TryAgain()
}

/** Return the error in a response. Its text is shortened and made printable, because apps may show it. */
export function refusalOf(answer: Answer): RefusedError {
  const { error, error_description: description } = jsonObjectIn(answer) ?? {}
  return new RefusedError(
    isText(error) ? printable(error) : `http_${answer.status}`,
    isText(description) ? printable(description) : '',
  )
}

/** Return Retry-After in seconds (RFC 9110 section 10.2.3), at most a minute. Dates are ignored. */
export function retryAfter(answer: Answer): number | null {
  const text = (answer.headers['retry-after'] ?? '').trim()
  return /^[0-9]{1,9}$/.test(text) ? Math.min(Number(text), MAX_RETRY_AFTER) : null
}

/** Return `null` for a success. Its body is not read. */
export function refusalIn(answer: Answer | null): RefusedError | TryAgain | null {
  if (answer === null) return new TryAgain()
  if (answer.status >= 500 || PASSING.includes(answer.status)) return new TryAgain(retryAfter(answer))
  if (answer.status >= 200 && answer.status < 300) return null
  const refused = refusalOf(answer)
  return PASSING_ERRORS.includes(refused.error) ? new TryAgain(retryAfter(answer)) : refused
}

function tokensIn(members: JsonObject, accessToken: string, askedAt: number): Tokens | TryAgain {
  const expiresIn = members.expires_in ?? null
  const refreshToken = members.refresh_token ?? null
  const idToken = members.id_token ?? null
  const scope = members.scope ?? null
  if (expiresIn !== null && !(isNumber(expiresIn) && expiresIn > 0)) return new TryAgain()
  if (refreshToken !== null && !isText(refreshToken)) return new TryAgain()
  if (idToken !== null && !isText(idToken)) return new TryAgain()
  if (scope !== null && typeof scope !== 'string') return new TryAgain()
  const expiresAt = expiresIn === null ? null : askedAt + expiresIn
  return { accessToken, receivedAt: askedAt, expiresAt, refreshToken, scope, idToken }
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== ''
}

/** Return the text in printable ASCII, shortened, because apps may show it. */
export function printable(text: string): string {
  return text.replace(/[^\x20-\x7E]/gu, '?').slice(0, MAX_DESCRIPTION)
}
