/** Client authentication by a signature, `private_key_jwt` (RFC 7523 section 2.2, OpenID Connect Core section 9). */

import { importJWK, type JWK, SignJWT } from 'jose'

const ALGORITHMS: Readonly<Record<string, string>> = { EC: 'ES256', OKP: 'EdDSA', RSA: 'PS256' }
const SECONDS = 60

/** The private key of a client, from a JWK: P-256, Ed25519 or RSA. The server knows the public part. */
export class ClientKey {
  readonly #jwk: JWK
  readonly #algorithm: string
  readonly #clock: () => number

  /** Throw TypeError if it is no such private key. `clock` returns seconds since 1970. */
  constructor(jwk: JWK, clock = () => Date.now() / 1000) {
    const algorithm = jwk.alg ?? ALGORITHMS[jwk.kty ?? '']
    if (algorithm === undefined || typeof jwk.d !== 'string') {
      throw new TypeError('a client key is a private key: EC, OKP or RSA')
    }
    this.#jwk = jwk
    this.#algorithm = algorithm
    this.#clock = clock
  }

  /** Return an assertion for one request. Each has an identifier of its own, because servers accept it once.
   *
   * The issuer is its only audience, so that no other server can use it.
   */
  async assertion(clientId: string, issuer: string): Promise<string> {
    const { kid } = this.#jwk
    const now = Math.floor(this.#clock())
    return await new SignJWT()
      .setProtectedHeader({ alg: this.#algorithm, typ: 'client-authentication+jwt', ...(kid !== undefined && { kid }) })
      .setIssuer(clientId)
      .setSubject(clientId)
      .setAudience(issuer)
      .setIssuedAt(now)
      .setExpirationTime(now + SECONDS)
      .setJti(crypto.randomUUID())
      .sign(await importJWK(this.#jwk, this.#algorithm))
  }
}
