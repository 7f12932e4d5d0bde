/** Client authentication by a signature, `private_key_jwt` (RFC 7523 section 2.2, OpenID Connect Core section 9). */

import { importJWK, type JWK, SignJWT } from 'jose'

/** By key type and curve; the first is for keys that name none. */
const ALGORITHMS: Readonly<Record<string, readonly string[]>> = {
  'EC P-256': ['ES256'],
  'OKP Ed25519': ['EdDSA', 'Ed25519'],
  RSA: ['PS256', 'PS384', 'PS512', 'RS256', 'RS384', 'RS512'],
}
const SECONDS = 60

/** The private key of a client, from a JWK: P-256, Ed25519 or RSA. The server knows the public part. */
export class ClientKey {
  readonly #jwk: JWK
  readonly #algorithm: string
  readonly #clock: () => number

  /** Throw TypeError if it is no such private key. `clock` returns seconds since 1970. */
  constructor(jwk: JWK, clock = () => Date.now() / 1000) {
    const algorithms = ALGORITHMS[jwk.kty === 'RSA' ? 'RSA' : `${jwk.kty} ${jwk.crv}`]
    if (algorithms === undefined || typeof jwk.d !== 'string') {
      throw new TypeError('a client key is the JWK of a private key: P-256, Ed25519 or RSA')
    }
    const algorithm = jwk.alg ?? algorithms[0]
    if (algorithm === undefined || !algorithms.includes(algorithm)) {
      throw new TypeError(`the alg of this client key must be ${algorithms.join(' or ')}`)
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
