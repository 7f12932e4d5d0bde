/** ID tokens (OpenID Connect Core 3.1.3.7) and logout tokens (OpenID Connect Back-Channel Logout 2.6). */

import { base64url } from 'jose'
import { audiences, checkTimes, isName, MAX_CHARACTERS } from './access-token.js'
import type { PendingAuthorization } from './authorization-request.js'
import { InvalidTokenError } from './errors.js'
import type { KeySet } from './key-set.js'
import { readJwt, type UnverifiedJwt, verifiedClaims } from './signed-jwt.js'
import { isNumber, isObject, type JsonObject } from './strict-json.js'

const LOGOUT_EVENT = 'http://schemas.openid.net/event/backchannel-logout'
const TYPES = ['jwt', null]
const LOGOUT_TYPES = ['logout+jwt']
const SHA512: readonly string[] = ['EdDSA', 'Ed25519']
const UTF8 = new TextEncoder()

/** A verified ID token: who logged in. Times are seconds since 1970. */
export interface IdToken {
  readonly subject: string
  readonly expiresAt: number
  readonly authTime: number | null
  readonly sid: string | null
  /** All claims. */
  readonly claims: JsonObject
}

/** A verified logout token: end the sessions of `subject`, or the one that has the ID token's `sid`.
 *
 * Accept each `jti` once, until `expiresAt`.
 */
export interface LogoutToken {
  readonly jti: string
  readonly expiresAt: number
  readonly subject: string | null
  readonly sid: string | null
}

/** What a client accepts: issuer, its own id as the audience, algorithms, clock skew. */
export interface IdTokenRules {
  readonly issuer: string
  readonly clientId: string
  readonly algorithms: readonly string[]
  readonly skewSeconds: number
}

/** Parse an ID token; see `readJwt`. An access token or a logout token has another type. */
export function readIdToken(text: string, { algorithms }: IdTokenRules): UnverifiedJwt {
  return readJwt(text, TYPES, algorithms, MAX_CHARACTERS)
}

/** Parse a logout token; see `readJwt`. */
export function readLogoutToken(text: string, { algorithms }: IdTokenRules): UnverifiedJwt {
  return readJwt(text, LOGOUT_TYPES, algorithms, MAX_CHARACTERS)
}

/** Verify and return the ID token that came with this access token.
 *
 * Reject with a reason of `verifiedClaims`, or `iss`, `aud`, `azp`, `exp`, `nbf`, `iat`, `nonce`, `at_hash`, `auth_time` or
 * `claims`.
 */
export async function judgeIdToken(
  unverified: UnverifiedJwt,
  rules: IdTokenRules,
  keys: KeySet,
  pending: PendingAuthorization,
  accessToken: string,
  now: number,
): Promise<IdToken> {
  const { claims, expiresAt } = await commonClaims(unverified, rules, keys, now)
  const { nonce, at_hash: hash, sub: subject, sid = null } = claims
  // No oracle: an attacker who can try nonces has the issuer's key.
  if (nonce !== pending.nonce) throw new InvalidTokenError('nonce')
  if (hash !== undefined && hash !== (await accessTokenHash(accessToken, unverified.algorithm))) {
    throw new InvalidTokenError('at_hash')
  }
  const authTime = checkAuthTime(claims.auth_time ?? null, pending, rules.skewSeconds)
  if (!isName(subject) || !isNameOrNull(sid)) throw new InvalidTokenError('claims')
  return { subject, expiresAt, authTime, sid, claims }
}

/** Verify and return the logout token.
 *
 * Reject with a reason of `verifiedClaims`, or `iss`, `aud`, `azp`, `exp`, `nbf`, `iat`, `events`, `nonce` or `claims`.
 */
export async function judgeLogoutToken(
  unverified: UnverifiedJwt,
  rules: IdTokenRules,
  keys: KeySet,
  now: number,
): Promise<LogoutToken> {
  const { claims, expiresAt } = await commonClaims(unverified, rules, keys, now)
  const { events, jti, sub: subject = null, sid = null } = claims
  if (!isObject(events) || !isObject(events[LOGOUT_EVENT])) throw new InvalidTokenError('events')
  // With a nonce, it would be an ID token.
  if (Object.hasOwn(claims, 'nonce')) throw new InvalidTokenError('nonce')
  if (!isName(jti) || !isNameOrNull(subject) || !isNameOrNull(sid)) throw new InvalidTokenError('claims')
  if (subject === null && sid === null) throw new InvalidTokenError('claims')
  return { jti, expiresAt, subject, sid }
}

/** Return the claims. A token for other audiences as well is refused: this client trusts none of them. */
async function commonClaims(
  unverified: UnverifiedJwt,
  { issuer, clientId, skewSeconds }: IdTokenRules,
  keys: KeySet,
  now: number,
): Promise<{ claims: JsonObject; expiresAt: number }> {
  const claims = await verifiedClaims(unverified, keys)
  const [audience, ...others] = audiences(claims.aud)
  if (claims.iss !== issuer) throw new InvalidTokenError('iss')
  if (audience !== clientId || others.length > 0) throw new InvalidTokenError('aud')
  if (claims.azp !== undefined && claims.azp !== clientId) throw new InvalidTokenError('azp')
  const expiresAt = checkTimes(claims, now, skewSeconds)
  if (!isNumber(claims.iat) || now + skewSeconds < claims.iat) throw new InvalidTokenError('iat')
  return { claims, expiresAt }
}

/** Return `auth_time`. Throw if the person authenticated too long before the request (`max_age`). */
function checkAuthTime(authTime: unknown, pending: PendingAuthorization, skewSeconds: number): number | null {
  if (authTime !== null && !isNumber(authTime)) throw new InvalidTokenError('auth_time')
  if (pending.maxAge === null) return authTime
  const earliest = pending.begunAt - pending.maxAge - skewSeconds
  if (authTime === null || authTime < earliest) throw new InvalidTokenError('auth_time')
  return authTime
}

/** Resolve to `at_hash`: the left half of the digest that belongs to the ID token's algorithm (Core 3.1.3.6). */
async function accessTokenHash(accessToken: string, algorithm: string): Promise<string> {
  const name = SHA512.includes(algorithm) ? 'SHA-512' : 'SHA-256'
  const digest = new Uint8Array(await crypto.subtle.digest(name, UTF8.encode(accessToken)))
  return base64url.encode(digest.subarray(0, digest.length / 2))
}

function isNameOrNull(value: unknown): value is string | null {
  return value === null || isName(value)
}
