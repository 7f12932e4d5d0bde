/** DPoP proofs: a request is made by the holder of the key that its access token is bound to (RFC 9449 section 4.3). */

import { base64url, calculateJwkThumbprint } from 'jose'
import { InvalidProofError, InvalidTokenError } from './errors.js'
import { usableKey, type VerificationKey } from './key-set.js'
import { claimsSignedBy, parseJwt } from './signed-jwt.js'
import { isNumber, isObject, type JsonObject } from './strict-json.js'

/** RSA keys are larger and slower, and no browser needs them. */
export const PROOF_ALGORITHMS: readonly string[] = ['ES256', 'EdDSA', 'Ed25519']
export const MAX_AGE_SECONDS = 60
export const MAX_AHEAD_SECONDS = 10
const MAX_JTI_CHARACTERS = 256
const MAX_CHARACTERS = 4096
const TYPE = 'dpop+jwt'
const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k']
const URL_PARTS = /^(https?):\/\/([^/?#@\\]+)(\/[^?#]*)?(?:[?#].*)?$/i
const DEFAULT_PORTS: Readonly<Record<string, RegExp>> = { https: /:443$/, http: /:80$/ }
const PRINTED = /^[\x21-\x7E]+$/
const UNRESERVED = /^[A-Za-z0-9\-._~]$/

/** What a proof has to be for: a request with an access token, which is bound to the key of this thumbprint. */
export interface ProvenRequest {
  readonly method: string
  readonly url: string
  readonly accessToken: string
  readonly thumbprint: string
}

/** A proof that is valid, apart from its nonce and its earlier use. */
export interface Proof {
  readonly jti: string
  readonly target: string
  readonly nonce: unknown
}

/** Return the proof in these DPoP headers. Reject with InvalidProofError and the reason.
 *
 * Reasons: `missing`, `several`, those of `parseJwt`, `jwk`, `thumbprint`, `signature`, `jti`, `htm`, `htu`, `ath`, `iat`,
 * `exp`, `nbf`, checked in this order. The thumbprint comes first, so that strangers cause no signature to be verified. With
 * `hasNonces`, the nonce limits the age instead of `iat`, which depends on the client's clock.
 */
export async function judgeProof(
  proofs: readonly string[],
  request: ProvenRequest,
  algorithms: readonly string[],
  now: number,
  { hasNonces = false } = {},
): Promise<Proof> {
  const [only, ...more] = proofs
  if (only === undefined || more.length > 0) throw new InvalidProofError(only === undefined ? 'missing' : 'several')
  const claims = await verifiedClaims(only, request.thumbprint, algorithms)
  const { jti, htm, htu, ath, nonce = null } = claims
  const target = normalizedTarget(request.url)
  if (typeof jti !== 'string' || jti === '' || [...jti].length > MAX_JTI_CHARACTERS) throw new InvalidProofError('jti')
  if (htm !== request.method) throw new InvalidProofError('htm')
  if (target === null || normalizedTarget(htu) !== target) throw new InvalidProofError('htu')
  if (ath !== (await digestOf(request.accessToken))) throw new InvalidProofError('ath')
  checkTimes(claims, now, hasNonces)
  return { jti, target, nonce }
}

/** Return the URL without query and fragment in its normal form (RFC 3986 section 6.2.2), or `null` if it has none. */
export function normalizedTarget(url: unknown): string | null {
  const parts = typeof url === 'string' && PRINTED.test(url) ? URL_PARTS.exec(url) : null
  if (parts === null) return null
  const [, scheme = '', authority = '', path = ''] = parts
  const host = authority.toLowerCase().replace(DEFAULT_PORTS[scheme.toLowerCase()] ?? '', '')
  return `${scheme.toLowerCase()}://${host}${(path || '/').replace(/%[0-9A-Fa-f]{2}/g, unescaped)}`
}

/** Return the digest of a text, as in the claim `ath`. */
export async function digestOf(text: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text))
  return base64url.encode(new Uint8Array(digest))
}

function unescaped(escaped: string): string {
  const character = String.fromCharCode(Number.parseInt(escaped.slice(1), 16))
  return UNRESERVED.test(character) ? character : escaped.toUpperCase()
}

async function verifiedClaims(text: string, thumbprint: string, algorithms: readonly string[]): Promise<JsonObject> {
  try {
    const unverified = parseJwt(text, [TYPE], algorithms, MAX_CHARACTERS)
    const { jwk } = unverified.header
    const key = await embeddedKey(jwk)
    if ((await calculateJwkThumbprint(jwk as JsonObject)) !== thumbprint) throw new InvalidProofError('thumbprint')
    return await claimsSignedBy(unverified, key)
  } catch (error) {
    throw error instanceof InvalidTokenError ? new InvalidProofError(error.reason) : error
  }
}

/** Return the public key. Reject with InvalidProofError if it is none, is weak, or comes with its private part. */
async function embeddedKey(jwk: unknown): Promise<VerificationKey> {
  const isPublic = isObject(jwk) && !PRIVATE_MEMBERS.some((name) => Object.hasOwn(jwk, name))
  const key = isPublic ? await usableKey(jwk) : null
  if (key === null) throw new InvalidProofError('jwk')
  return key
}

function checkTimes({ iat, exp, nbf }: JsonObject, now: number, hasNonces: boolean): void {
  if (!isNumber(iat)) throw new InvalidProofError('iat')
  if (!hasNonces && (iat < now - MAX_AGE_SECONDS || iat > now + MAX_AHEAD_SECONDS)) throw new InvalidProofError('iat')
  if (exp !== undefined && (!isNumber(exp) || now >= exp)) throw new InvalidProofError('exp')
  if (nbf !== undefined && (!isNumber(nbf) || now + MAX_AHEAD_SECONDS < nbf)) throw new InvalidProofError('nbf')
}
