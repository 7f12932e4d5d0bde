/** Access tokens in requests, and responses to refused requests (RFC 6750, RFC 9449, RFC 9110 section 11). */

import {
  type ClientError,
  InsufficientScopeError,
  InvalidProofError,
  InvalidTokenError,
  MalformedRequestError,
  NonceRequiredError,
  VerificationUnavailableError,
} from './errors.js'
import type { ProtectedResource } from './protected-resource.js'

export type Scheme = 'Bearer' | 'DPoP'

const B64TOKEN = /^[A-Za-z0-9\-._~+/]+=*$/

/** Return scheme and token of a request with these Authorization headers, or `null` without one of these schemes.
 *
 * Tokens in the URL or the body are ignored. Throw MalformedRequestError if the header is malformed.
 */
export function presentedToken(
  authorization: readonly string[],
  schemes: readonly Scheme[],
): readonly [Scheme, string] | null {
  const [only, ...more] = authorization
  if (only === undefined) return null
  if (more.length > 0) throw new MalformedRequestError('more than one Authorization header')
  const [name = '', ...rest] = only.split(' ')
  const scheme = schemes.find((it) => it.toLowerCase() === name.toLowerCase())
  if (scheme === undefined) return null
  const token = rest.join(' ').replace(/^ +| +$/g, '')
  if (!B64TOKEN.test(token)) throw new MalformedRequestError(`no token after the scheme ${scheme}`)
  return [scheme, token]
}

/** Return the schemes that a service accepts. */
export function acceptedSchemes(resource: ProtectedResource | null): readonly Scheme[] {
  if (resource === null || resource.dpop === null) return ['Bearer']
  return resource.dpop.required ? ['DPoP'] : ['Bearer', 'DPoP']
}

/** The response to a refused request; its body is `{"error": error}`. */
export interface Refusal {
  readonly status: 400 | 401 | 403 | 503
  readonly error: string
  readonly headers: Readonly<Record<string, string>>
}

/** What the challenges of a service say: the scope of every request, and where its metadata are (RFC 9728 5.1). */
export interface Challenges {
  readonly realm: string
  readonly scope: readonly string[]
  readonly resource: ProtectedResource | null
}

/** Return the response to a request by this scheme, for an error, or for `null` if it had no token.
 *
 * It does not reveal a reason.
 */
export function refusal(challenges: Challenges, why: ClientError | null, scheme: Scheme = 'Bearer'): Refusal {
  const challenge = (status: 400 | 401 | 403, error: string, description = '', scope = '') =>
    challengeOf(challenges, scheme, status, error, description, scope)
  if (why === null) return challenge(401, 'unauthorized')
  if (why instanceof InvalidTokenError) return challenge(401, 'invalid_token', 'The access token is not valid here.')
  if (why instanceof InvalidProofError)
    return challenge(401, 'invalid_dpop_proof', 'The DPoP proof is not valid for this request.')
  if (why instanceof NonceRequiredError)
    return challenge(401, 'use_dpop_nonce', 'The DPoP proof needs the nonce in DPoP-Nonce.')
  if (why instanceof InsufficientScopeError)
    return challenge(403, 'insufficient_scope', 'The access token does not reach as far.', why.scope)
  if (why instanceof MalformedRequestError)
    return challenge(400, 'invalid_request', 'The Authorization header is malformed.')
  const seconds = why instanceof VerificationUnavailableError ? Math.max(1, Math.ceil(why.retryAfter)) : 1
  return { status: 503, error: 'temporarily_unavailable', headers: { 'retry-after': String(seconds) } }
}

/** Return a challenge per scheme (RFC 6750 section 3).
 *
 * That of the request is first, because many clients read no other, and has the error, if there was a token.
 */
function challengeOf(
  challenges: Challenges,
  scheme: Scheme,
  status: 400 | 401 | 403,
  error: string,
  description: string,
  scope: string,
): Refusal {
  const schemes = acceptedSchemes(challenges.resource)
  const ordered = [...schemes.filter((it) => it === scheme), ...schemes.filter((it) => it !== scheme)]
  const explained = description === '' ? {} : { error, error_description: description }
  const parts = ordered.map((it, place) => oneChallenge(challenges, it, place === 0 ? explained : {}, scope))
  return { status, error, headers: { 'www-authenticate': parts.join(', ') } }
}

function oneChallenge(
  { realm, scope, resource }: Challenges,
  scheme: Scheme,
  error: Record<string, string>,
  needed: string,
): string {
  const parameters = {
    realm,
    ...error,
    scope: needed || scope.join(' '),
    resource_metadata: resource?.metadataUrl ?? '',
    algs: scheme === 'DPoP' ? (resource?.dpop?.algorithms.join(' ') ?? '') : '',
  }
  const given = Object.entries(parameters).filter(([, value]) => value !== '')
  return `${scheme} ${given.map(([name, value]) => `${name}="${quotable(value)}"`).join(', ')}`
}

function quotable(value: string): string {
  return value.replace(/[^\x20-\x7E]/gu, '?').replace(/["\\]/g, '\\$&')
}
