/** Nonces of a service for DPoP proofs (RFC 9449 section 9), without state: processes with one secret agree on them. */

import { base64url } from 'jose'

export const NONCE_SECONDS = 60
const MIN_SECRET_BYTES = 16
const PURPOSE = 'jeton_client: nonce of a resource server for DPoP proofs'

/** A new nonce every minute. It is accepted until the end of the next minute. */
export class DPoPNonces {
  readonly #secret: Uint8Array<ArrayBuffer>

  /** The secret: at least 16 random bytes, the same in all processes of the service, and used for nothing else. */
  constructor(secret: Uint8Array) {
    if (secret.length < MIN_SECRET_BYTES) {
      throw new TypeError(`the secret of nonces needs at least ${MIN_SECRET_BYTES} random bytes`)
    }
    this.#secret = new Uint8Array(secret)
  }

  current(now: number): Promise<string> {
    return this.#of(Math.floor(now / NONCE_SECONDS))
  }

  /** Resolve to whether it is the nonce of this minute or of the last one. */
  async accepts(nonce: unknown, now: number): Promise<boolean> {
    const slot = Math.floor(now / NONCE_SECONDS)
    // No secret is compared: every caller receives the current nonce.
    return nonce === (await this.#of(slot)) || nonce === (await this.#of(slot - 1))
  }

  async #of(slot: number): Promise<string> {
    const hmac = { name: 'HMAC', hash: 'SHA-256' }
    const key = await crypto.subtle.importKey('raw', this.#secret, hmac, false, ['sign'])
    const tag = await crypto.subtle.sign('HMAC', key, new TextEncoder().encode(`${PURPOSE} ${slot}`))
    return base64url.encode(new Uint8Array(tag))
  }
}
