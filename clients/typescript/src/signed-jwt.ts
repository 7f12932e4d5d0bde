/** Signed JWTs, from text to claims (RFC 7515, RFC 7519, RFC 8725). Header and claims are parsed strictly.
 *
 * The token chooses nothing: the algorithm must be allowed, the key must be the
 * issuer's, and `jku`, `x5u`, `jwk` and `x5c` are ignored. (A DPoP proof has its key in `jwk`, by definition.)
 */

import { decodeBase64url } from './base64url.js'
import { InvalidTokenError } from './errors.js'
import type { KeySet, VerificationKey } from './key-set.js'
import { type JsonObject, parseObject } from './strict-json.js'

const COMPACT = /^(([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+))\.([A-Za-z0-9_-]+)$/
const ASCII = new TextEncoder()
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** A well-formed JWT of the expected type with an allowed algorithm, not verified yet. */
export interface ParsedJwt {
  readonly algorithm: string
  readonly header: JsonObject
  readonly signingInput: string
  readonly payload: Uint8Array
  readonly signature: Uint8Array<ArrayBuffer>
}

/** One that names its key. */
export interface UnverifiedJwt extends ParsedJwt {
  readonly kid: string
}

/** Parse a JWT that names its key; see `parseJwt`. Throw InvalidTokenError(`kid`) if it does not. */
export function readJwt(
  text: string,
  types: readonly (string | null)[],
  algorithms: readonly string[],
  maxCharacters: number,
): UnverifiedJwt {
  const parsed = parseJwt(text, types, algorithms, maxCharacters)
  const { kid } = parsed.header
  if (typeof kid !== 'string' || kid === '') throw new InvalidTokenError('kid')
  return { ...parsed, kid }
}

/** Parse a JWT of one of these types, in lower case; `null`: without a type.
 *
 * Throw InvalidTokenError for `malformed`, `typ`, `alg` or `crit`, checked in this order.
 */
export function parseJwt(
  text: string,
  types: readonly (string | null)[],
  algorithms: readonly string[],
  maxCharacters: number,
): ParsedJwt {
  const parts = text.length > maxCharacters ? null : COMPACT.exec(text)
  const [, signingInput = '', head = '', claims = '', mark = ''] = parts ?? []
  const [header, payload, signature] = wellFormed(() => [
    objectIn(head),
    decodeBase64url(claims),
    decodeBase64url(mark),
  ])
  if (!types.includes(typeIn(header))) throw new InvalidTokenError('typ')
  const { alg: algorithm } = header
  if (typeof algorithm !== 'string' || !algorithms.includes(algorithm)) throw new InvalidTokenError('alg')
  // RFC 7515 section 4.1.11: an unsupported critical header makes the token invalid.
  if (Object.hasOwn(header, 'crit')) throw new InvalidTokenError('crit')
  return { algorithm, header, signingInput, payload, signature }
}

/** Return the claims. Reject with InvalidTokenError for `unknown_key`, `alg`, `signature` or `malformed`. */
export async function verifiedClaims(unverified: UnverifiedJwt, keys: KeySet): Promise<JsonObject> {
  const found = keys.get(unverified.kid)
  if (found === undefined) throw new InvalidTokenError('unknown_key')
  return await claimsSignedBy(unverified, found)
}

/** Return the claims. Reject with InvalidTokenError for `alg`, `signature` or `malformed`. */
export async function claimsSignedBy(
  { algorithm, signingInput, payload, signature }: ParsedJwt,
  key: VerificationKey,
): Promise<JsonObject> {
  const verifySignature = key.byAlgorithm.get(algorithm)
  if (verifySignature === undefined) throw new InvalidTokenError('alg')
  if (!(await verifySignature(ASCII.encode(signingInput), signature))) throw new InvalidTokenError('signature')
  return wellFormed(() => parseObject(UTF8.decode(payload)))
}

function objectIn(part: string): JsonObject {
  return parseObject(UTF8.decode(decodeBase64url(part)))
}

/** Return the result of `parse`. Every error in the form has the reason `malformed`. */
function wellFormed<Value>(read: () => Value): Value {
  try {
    return read()
  } catch {
    throw new InvalidTokenError('malformed')
  }
}

/** Return `typ`, or `null` if there is none: case-insensitive, `application/` is optional (RFC 7515 section 4.1.9).
 *
 * Throw InvalidTokenError(`typ`) if it is not a string.
 */
function typeIn(header: JsonObject): string | null {
  if (!Object.hasOwn(header, 'typ')) return null
  if (typeof header.typ !== 'string') throw new InvalidTokenError('typ')
  return header.typ.toLowerCase().replace(/^application\//, '')
}
