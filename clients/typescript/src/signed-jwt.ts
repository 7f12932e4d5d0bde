/** A signed JWT, from text to claims (RFC 7515, RFC 7519, RFC 8725). Header and claims are read strictly, here.
 *
 * Nothing is taken from the token that we did not choose ourselves: the algorithm must be allowed, the key is the
 * issuer's, and `jku`, `x5u`, `jwk` and `x5c` are not looked at.
 */

import { base64url, compactVerify, errors } from 'jose'
import { InvalidToken } from './errors.js'
import type { KeySet } from './key-set.js'
import { type JsonObject, parseObject } from './strict-json.js'

const COMPACT = /^([A-Za-z0-9_-]+)\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** A well-formed JWT of the right type with an allowed algorithm. Its claims are not to be believed yet. */
export interface UnverifiedJwt {
  readonly algorithm: string
  readonly kid: string
  readonly text: string
}

/** Throws InvalidToken with the reason `malformed`, `typ`, `alg`, `crit` or `kid`, looked for in this order. */
export function readJwt(
  text: string,
  typ: string,
  algorithms: readonly string[],
  mostCharacters: number,
): UnverifiedJwt {
  const header = text.length > mostCharacters ? undefined : COMPACT.exec(text)?.[1]
  if (header === undefined) throw new InvalidToken('malformed')
  const members = objectIn(() => decodeBase64url(header))
  if (!isType(members.typ, typ)) throw new InvalidToken('typ')
  const { alg: algorithm, kid } = members
  if (typeof algorithm !== 'string' || !algorithms.includes(algorithm)) throw new InvalidToken('alg')
  // RFC 7515 section 4.1.11: what is critical and not understood makes the token invalid.
  if (Object.hasOwn(members, 'crit')) throw new InvalidToken('crit')
  if (typeof kid !== 'string' || kid === '') throw new InvalidToken('kid')
  return { algorithm, kid, text }
}

/** Throws InvalidToken with the reason `unknown_key`, `alg`, `signature` or `malformed`. */
export async function verifiedClaims({ algorithm, kid, text }: UnverifiedJwt, keys: KeySet): Promise<JsonObject> {
  const found = keys.get(kid)
  if (found === undefined) throw new InvalidToken('unknown_key')
  const key = found.byAlgorithm.get(algorithm)
  if (key === undefined) throw new InvalidToken('alg')
  try {
    const { payload } = await compactVerify(text, key, { algorithms: [algorithm] })
    return objectIn(() => payload)
  } catch (error) {
    if (error instanceof errors.JWSSignatureVerificationFailed) throw new InvalidToken('signature')
    if (error instanceof InvalidToken) throw error
    throw new InvalidToken('malformed')
  }
}

/** Base64url without padding (RFC 7515 section 2). Throws TypeError for anything else. */
export function decodeBase64url(text: string): Uint8Array<ArrayBuffer> {
  if (!/^[A-Za-z0-9_-]*$/.test(text) || text.length % 4 === 1) throw new TypeError('not base64url')
  return new Uint8Array(base64url.decode(text))
}

function objectIn(octets: () => Uint8Array): JsonObject {
  try {
    return parseObject(UTF8.decode(octets()))
  } catch {
    throw new InvalidToken('malformed')
  }
}

/** RFC 7515 section 4.1.9: a media type, in any case, whose `application/` may be left out. */
function isType(value: unknown, typ: string): boolean {
  return typeof value === 'string' && value.toLowerCase().replace(/^application\//, '') === typ
}
