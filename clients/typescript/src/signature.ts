/** Verifies signatures by WebCrypto, which is everywhere. For Node there is `signature.node`, which does the same. */

import type { CryptoKey } from 'jose'

/** Whether these octets were signed so. */
export type VerifySignature = (
  signed: Uint8Array<ArrayBuffer>,
  signature: Uint8Array<ArrayBuffer>,
) => boolean | Promise<boolean>

/** What WebCrypto wants to be told beside the key (RFC 7518 section 3, RFC 8037). */
const PARAMETERS: Readonly<Record<string, AlgorithmIdentifier | RsaPssParams | EcdsaParams>> = {
  RS256: 'RSASSA-PKCS1-v1_5',
  PS256: { name: 'RSA-PSS', saltLength: 32 },
  ES256: { name: 'ECDSA', hash: 'SHA-256' },
  EdDSA: 'Ed25519',
  Ed25519: 'Ed25519',
}

/** Throws TypeError for an algorithm that is not known here. */
export function verifySignatureBy(key: CryptoKey, algorithm: string): VerifySignature {
  const parameters = PARAMETERS[algorithm]
  if (parameters === undefined) throw new TypeError(`unknown algorithm ${algorithm}`)
  return (signed, signature) => crypto.subtle.verify(parameters, key, signature, signed)
}
