/** A signed JWT, from text to claims (RFC 7515, RFC 7519, RFC 8725). Header and claims are read strictly, here.
 *
 * Nothing is taken from the token that we did not choose ourselves: the algorithm must be allowed, the key is the
 * issuer's, and `jku`, `x5u`, `jwk` and `x5c` are not looked at.
 */

import { base64url } from 'jose'
import { InvalidTokenError } from './errors.js'
import type { KeySet } from './key-set.js'
import { type JsonObject, parseObject } from './strict-json.js'

const COMPACT = /^(([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+))\.([A-Za-z0-9_-]+)$/
const BASE64URL = /^(?:[A-Za-z0-9_-]{4})*(?:[A-Za-z0-9_-][AQgw]|[A-Za-z0-9_-]{2}[AEIMQUYcgkosw048])?$/
const ASCII = new TextEncoder()
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** A well-formed JWT of the right type with an allowed algorithm. Its claims are not to be believed yet. */
export interface UnverifiedJwt {
  readonly algorithm: string
  readonly kid: string
  readonly signingInput: string
  readonly payload: Uint8Array
  readonly signature: Uint8Array<ArrayBuffer>
}

/** Throws InvalidTokenError with the reason `malformed`, `typ`, `alg`, `crit` or `kid`, looked for in this order. */
export function readJwt(
  text: string,
  typ: string,
  algorithms: readonly string[],
  maxCharacters: number,
): UnverifiedJwt {
  const parts = text.length > maxCharacters ? null : COMPACT.exec(text)
  const [, signingInput = '', header = '', claims = '', mark = ''] = parts ?? []
  const [members, payload, signature] = wellFormed(() => [
    objectIn(header),
    decodeBase64url(claims),
    decodeBase64url(mark),
  ])
  if (!isType(members.typ, typ)) throw new InvalidTokenError('typ')
  const { alg: algorithm, kid } = members
  if (typeof algorithm !== 'string' || !algorithms.includes(algorithm)) throw new InvalidTokenError('alg')
  // RFC 7515 section 4.1.11: what is critical and not understood makes the token invalid.
  if (Object.hasOwn(members, 'crit')) throw new InvalidTokenError('crit')
  if (typeof kid !== 'string' || kid === '') throw new InvalidTokenError('kid')
  return { algorithm, kid, signingInput, payload, signature }
}

/** Throws InvalidTokenError with the reason `unknown_key`, `alg`, `signature` or `malformed`. */
export async function verifiedClaims(unverified: UnverifiedJwt, keys: KeySet): Promise<JsonObject> {
  const { algorithm, kid, signingInput, payload, signature } = unverified
  const found = keys.get(kid)
  if (found === undefined) throw new InvalidTokenError('unknown_key')
  const verifySignature = found.byAlgorithm.get(algorithm)
  if (verifySignature === undefined) throw new InvalidTokenError('alg')
  if (!(await verifySignature(ASCII.encode(signingInput), signature))) throw new InvalidTokenError('signature')
  return wellFormed(() => parseObject(UTF8.decode(payload)))
}

/** Base64url without padding (RFC 7515 section 2), in the one spelling that an encoder gives. Throws TypeError otherwise.
 *
 * The last character may carry bits that no octet holds (RFC 4648 section 3.5). They must be zero: otherwise one signature
 * would have up to sixteen spellings, and a token as many names in caches and lists.
 */
export function decodeBase64url(text: string): Uint8Array<ArrayBuffer> {
  if (!BASE64URL.test(text)) throw new TypeError('not base64url')
  return new Uint8Array(base64url.decode(text))
}

function objectIn(part: string): JsonObject {
  return parseObject(UTF8.decode(decodeBase64url(part)))
}

/** Whatever is wrong with the form is one and the same to us. */
function wellFormed<Value>(read: () => Value): Value {
  try {
    return read()
  } catch {
    throw new InvalidTokenError('malformed')
  }
}

/** RFC 7515 section 4.1.9: a media type, in any case, whose `application/` may be left out. */
function isType(value: unknown, typ: string): boolean {
  return typeof value === 'string' && value.toLowerCase().replace(/^application\//, '') === typ
}
