/** Access tokens: required claims (RFC 9068 sections 2.2 and 4, RFC 8725), and the values that a service reads. */

import { InsufficientScopeError, InvalidTokenError } from './errors.js'
import type { KeySet } from './key-set.js'
import { readJwt, type UnverifiedJwt, verifiedClaims } from './signed-jwt.js'
import { isNumber, isObject, type JsonObject } from './strict-json.js'

const TYPE = 'at+jwt'
export const MAX_CHARACTERS = 8192
export const DEFAULT_SKEW_SECONDS = 5
const ROOT = /^([a-z][a-z0-9+.-]*:\/\/[^/?#]+)\/?$/

/** Location of a token's status: the entry `idx` of the list at `uri`. */
export interface StatusReference {
  readonly uri: string
  readonly idx: number
}

/** The values of an access token. Times are seconds since 1970. */
export interface Facts {
  readonly subject: string
  readonly clientId: string
  readonly expiresAt: number
  readonly scope: ReadonlySet<string>
  readonly roles: readonly string[]
  /** All claims. */
  readonly claims: JsonObject
  readonly status: StatusReference | null
}

/** A verified access token. */
export class AccessToken implements Facts {
  readonly subject: string
  readonly clientId: string
  readonly expiresAt: number
  readonly scope: ReadonlySet<string>
  readonly roles: readonly string[]
  readonly claims: JsonObject
  readonly status: StatusReference | null

  constructor(facts: Facts) {
    this.subject = facts.subject
    this.clientId = facts.clientId
    this.expiresAt = facts.expiresAt
    this.scope = facts.scope
    this.roles = facts.roles
    this.claims = facts.claims
    this.status = facts.status
  }

  /** Throw InsufficientScopeError if one of these scopes is missing. */
  requireScope(...scope: string[]): void {
    if (!scope.every((word) => this.scope.has(word))) throw new InsufficientScopeError(scope.join(' '))
  }
}

/** What a service accepts: issuer, audience, algorithms, clock skew. */
export interface Rules {
  readonly issuer: string
  readonly audience: string
  readonly algorithms: readonly string[]
  readonly skewSeconds: number
}

/** Parse the token; see `readJwt`. */
export function readAccessToken(token: string, rules: Rules): UnverifiedJwt {
  return readJwt(token, [TYPE], rules.algorithms, MAX_CHARACTERS)
}

/** Verify and return the token. Reject with a reason of `verifiedClaims`, or `iss`, `aud`, `exp`, `nbf` or `claims`. */
export async function judgeAccessToken(
  unverified: UnverifiedJwt,
  rules: Rules,
  keys: KeySet,
  now: number,
): Promise<AccessToken> {
  const claims = await verifiedClaims(unverified, keys)
  if (claims.iss !== rules.issuer) throw new InvalidTokenError('iss')
  if (!isFor(rules.audience, claims.aud)) throw new InvalidTokenError('aud')
  return tokenOf(claims, checkTimes(claims, now, rules.skewSeconds))
}

/** Return `exp`. Throw InvalidTokenError if it has passed or `nbf` lies ahead. Skew is applied to `nbf`, never to `exp`. */
export function checkTimes({ exp, nbf }: JsonObject, now: number, skewSeconds: number): number {
  if (!isNumber(exp) || now >= exp) throw new InvalidTokenError('exp')
  if (nbf !== undefined && (!isNumber(nbf) || now + skewSeconds < nbf)) throw new InvalidTokenError('nbf')
  return exp
}

/** Return scope and roles (RFC 9068 sections 2.2.3 and 2.2.3.1), empty if missing. Throw InvalidTokenError if malformed. */
export function scopeAndRoles({ scope = '', roles = [] }: JsonObject): Pick<Facts, 'scope' | 'roles'> {
  if (typeof scope !== 'string' || !areStrings(roles)) throw new InvalidTokenError('claims')
  return { scope: new Set(scope.split(' ').filter((word) => word !== '')), roles }
}

/** Return the token with these claims, which were verified. Throw InvalidTokenError(`claims`) if one is missing. */
function tokenOf(claims: JsonObject, expiresAt: number): AccessToken {
  const { sub: subject, client_id: clientId, jti, iat } = claims
  if (!isName(subject) || !isName(clientId) || !isName(jti) || !isNumber(iat)) throw new InvalidTokenError('claims')
  const status = statusIn(claims.status)
  return new AccessToken({ subject, clientId, expiresAt, ...scopeAndRoles(claims), claims, status })
}

/** Return the reference (IETF Token Status List section 6.2), or `null`. Other status mechanisms are ignored. */
function statusIn(value: unknown): StatusReference | null {
  const reference = isObject(value) ? value.status_list : value
  if (reference === undefined || reference === null) return null
  if (!isObject(reference) || !isName(reference.uri) || !isIndex(reference.idx)) throw new InvalidTokenError('claims')
  return { uri: reference.uri, idx: reference.idx }
}

/** Throw TypeError if the audience is empty: `undefined` would match every token without an audience. */
export function requireAudience(audience: unknown): void {
  if (!isName(audience)) throw new TypeError('audience is required: the name of this service, as in the claim `aud`')
}

/** Return whether an `aud` claim contains the audience.
 *
 * Of a URL that is an origin, the form with a slash is the same: clients add or drop it. No other spelling is.
 */
export function isFor(audience: string, aud: unknown): boolean {
  const root = ROOT.exec(audience)?.[1]
  const spellings: readonly unknown[] = root === undefined ? [audience] : [root, `${root}/`]
  return audiences(aud).some((one) => spellings.includes(one))
}

/** Return the members of an `aud` claim, which is a string or a list of strings (RFC 7519 section 4.1.3). */
export function audiences(aud: unknown): readonly unknown[] {
  return Array.isArray(aud) ? aud : [aud]
}

export function isName(value: unknown): value is string {
  return typeof value === 'string' && value !== ''
}

function isIndex(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

function areStrings(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((one) => typeof one === 'string')
}
