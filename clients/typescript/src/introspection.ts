/** Interpretation of introspection responses (RFC 7662 section 2.2). */

import { AccessToken, checkTimes, isFor, isName, scopeAndRoles } from './access-token.js'
import { InvalidTokenError, VerificationUnavailableError } from './errors.js'
import { type Answer, jsonObjectIn } from './messages.js'
import { isNumber, type JsonObject } from './strict-json.js'
import { refusalOf, retryAfter } from './token-answers.js'

const ACCESS_TOKEN_TYPES: readonly string[] = ['bearer', 'dpop']

/** Return the token.
 *
 * Throw InvalidTokenError if it is not active for this service, VerificationUnavailableError if the response is not usable.
 * `token_type` and `aud` are optional in RFC 7662 but required here: only they distinguish an access token for this service
 * from a refresh token, or from a token for another service. Issuer and times are optional, but must be correct if present.
 * The subject is `sub`, or the `client_id` of a client that acts for itself.
 */
export function judgeIntrospectionAnswer(
  answer: Answer | null,
  issuer: string,
  audience: string,
  now: number,
  skewSeconds: number,
): AccessToken {
  if (answer === null || answer.status >= 500) {
    throw new VerificationUnavailableError('no answer to the introspection', (answer && retryAfter(answer)) || 1)
  }
  if (answer.status !== 200) {
    const { error } = refusalOf(answer)
    throw new VerificationUnavailableError(`the introspection was refused: ${error}`, retryAfter(answer) || 1)
  }
  const members = jsonObjectIn(answer)
  if (typeof members?.active !== 'boolean')
    throw new VerificationUnavailableError('the introspection response is not an introspection result')
  if (!members.active) throw new InvalidTokenError('inactive')
  return judged(members, issuer, audience, now, skewSeconds)
}

function judged(members: JsonObject, issuer: string, audience: string, now: number, skewSeconds: number): AccessToken {
  const { token_type: type, iss = issuer, aud, client_id: clientId = '', sub, iat = now } = members
  if (typeof type !== 'string' || !ACCESS_TOKEN_TYPES.includes(type.toLowerCase()))
    throw new InvalidTokenError('token_type')
  if (iss !== issuer) throw new InvalidTokenError('iss')
  if (!isFor(audience, aud)) throw new InvalidTokenError('aud')
  const isEndless = members.exp === undefined
  const end = checkTimes(isEndless ? { ...members, exp: now + 1 } : members, now, skewSeconds)
  const expiresAt = isEndless ? Number.POSITIVE_INFINITY : end
  const subject = sub || clientId
  if (!isName(subject) || typeof clientId !== 'string' || !isNumber(iat)) throw new InvalidTokenError('claims')
  return new AccessToken({ subject, clientId, expiresAt, ...scopeAndRoles(members), claims: members, status: null })
}
