/** Bearer tokens in requests, and responses to refused requests (RFC 6750, RFC 9110 section 11). */

import {
  type ClientError,
  InsufficientScopeError,
  InvalidTokenError,
  MalformedRequestError,
  VerificationUnavailableError,
} from './errors.js'

const B64TOKEN = /^[A-Za-z0-9\-._~+/]+=*$/

/** Return the token in this Authorization header, or `null` if there is no Bearer token.
 *
 * Tokens in the URL or the body are ignored. Throw MalformedRequestError if the header is malformed.
 */
export function bearerToken(authorization: readonly string[]): string | null {
  const [only, ...more] = authorization
  if (only === undefined) return null
  if (more.length > 0) throw new MalformedRequestError('more than one Authorization header')
  const [scheme = '', ...rest] = only.split(' ')
  if (scheme.toLowerCase() !== 'bearer') return null
  const token = rest.join(' ').replace(/^ +| +$/g, '')
  if (!B64TOKEN.test(token)) throw new MalformedRequestError('no token after the scheme Bearer')
  return token
}

/** The response to a refused request; its body is `{"error": error}`. */
export interface Refusal {
  readonly status: 400 | 401 | 403 | 503
  readonly error: string
  readonly headers: Readonly<Record<string, string>>
}

/** Return the response for an error, or for `null` if the request had no token. It does not reveal a reason. */
export function refusal(realm: string, why: ClientError | null): Refusal {
  if (why === null) return challenge(401, 'unauthorized', { realm })
  if (why instanceof InvalidTokenError) {
    return challenge(401, 'invalid_token', described(realm, 'invalid_token', 'The access token is not valid here.'))
  }
  if (why instanceof InsufficientScopeError) {
    const parameters = described(realm, 'insufficient_scope', 'The access token does not reach as far.')
    return challenge(403, 'insufficient_scope', why.scope === '' ? parameters : { ...parameters, scope: why.scope })
  }
  if (why instanceof MalformedRequestError) {
    const parameters = described(realm, 'invalid_request', 'The Authorization header is malformed.')
    return challenge(400, 'invalid_request', parameters)
  }
  const seconds = why instanceof VerificationUnavailableError ? Math.max(1, Math.ceil(why.retryAfter)) : 1
  return { status: 503, error: 'temporarily_unavailable', headers: { 'retry-after': String(seconds) } }
}

function described(realm: string, error: string, description: string): Record<string, string> {
  return { realm, error, error_description: description }
}

/** Return a challenge (RFC 6750 section 3); without a token, it contains no error code. */
function challenge(status: 400 | 401 | 403, error: string, parameters: Record<string, string>): Refusal {
  const quoted = Object.entries(parameters).map(([name, value]) => `${name}="${quotable(value)}"`)
  return { status, error, headers: { 'www-authenticate': `Bearer ${quoted.join(', ')}` } }
}

function quotable(value: string): string {
  return value.replace(/[^\x20-\x7E]/gu, '?').replace(/["\\]/g, '\\$&')
}
