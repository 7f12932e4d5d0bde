/** Signature verification with WebCrypto, which is available everywhere. Node uses `signature.node` instead. */

import type { CryptoKey } from 'jose'

/** Resolve to whether the signature matches these octets. */
export type VerifySignature = (
  signed: Uint8Array<ArrayBuffer>,
  signature: Uint8Array<ArrayBuffer>,
) => boolean | Promise<boolean>

/** WebCrypto parameters by algorithm (RFC 7518 section 3, RFC 8037). */
const PARAMETERS: Readonly<Record<string, AlgorithmIdentifier | RsaPssParams | EcdsaParams>> = {
  RS256: 'RSASSA-PKCS1-v1_5',
  PS256: { name: 'RSA-PSS', saltLength: 32 },
  ES256: { name: 'ECDSA', hash: 'SHA-256' },
  EdDSA: 'Ed25519',
  Ed25519: 'Ed25519',
}

/** Return a verifier. Throw TypeError for an unknown algorithm. */
export function verifySignatureBy(key: CryptoKey, algorithm: string): VerifySignature {
  const parameters = PARAMETERS[algorithm]
  if (parameters === undefined) throw new TypeError(`unknown algorithm ${algorithm}`)
  return (signed, signature) => crypto.subtle.verify(parameters, key, signature, signed)
}
