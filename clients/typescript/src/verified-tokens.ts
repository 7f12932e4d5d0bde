/** Tokens that were verified already: bounded, never past `exp`, and gone as soon as a key is. */

import type { AccessToken } from './access-token.js'
import type { KeySet } from './key-set.js'

export const MAX_TOKENS = 4096

/** What was verified by the keys of one set. The oldest makes room. */
export class VerifiedTokens {
  readonly #most: number
  readonly #tokens = new Map<string, AccessToken>()
  #keys: KeySet | null = null

  constructor(most = MAX_TOKENS) {
    this.#most = most
  }

  /** What it was found to be; `null` for one that was never seen, has ended, or was verified by other keys. */
  get(token: string, keys: KeySet | null, now: number): AccessToken | null {
    if (keys !== this.#keys) return null
    const found = this.#tokens.get(token)
    return found !== undefined && now < found.expiresAt ? found : null
  }

  add(token: string, verified: AccessToken, keys: KeySet): void {
    if (this.#most <= 0) return
    if (keys !== this.#keys) {
      this.#tokens.clear()
      this.#keys = keys
    }
    if (this.#tokens.size >= this.#most) this.#forgetOldest()
    this.#tokens.set(token, verified)
  }

  get size(): number {
    return this.#tokens.size
  }

  #forgetOldest(): void {
    for (const oldest of this.#tokens.keys()) {
      this.#tokens.delete(oldest)
      return
    }
  }
}
