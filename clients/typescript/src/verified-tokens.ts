/** Bounded cache of verified tokens. Entries end at `exp` at the latest, and all are discarded when the keys change. */

import type { AccessToken } from './access-token.js'
import type { KeySet } from './key-set.js'

export const MAX_TOKENS = 4096

/** Tokens verified with one key set. The oldest one is evicted. */
export class VerifiedTokens {
  readonly #maxEntries: number
  readonly #tokens = new Map<string, AccessToken>()
  #keys: KeySet | null = null

  constructor(maxEntries = MAX_TOKENS) {
    this.#maxEntries = maxEntries
  }

  /** Return the token, or `null` if it is unknown, has expired, or was verified with other keys. */
  get(token: string, keys: KeySet | null, now: number): AccessToken | null {
    if (keys !== this.#keys) return null
    const found = this.#tokens.get(token)
    return found !== undefined && now < found.expiresAt ? found : null
  }

  add(token: string, verified: AccessToken, keys: KeySet): void {
    if (this.#maxEntries <= 0) return
    if (keys !== this.#keys) {
      this.#tokens.clear()
      this.#keys = keys
    }
    if (this.#tokens.size >= this.#maxEntries) this.#deleteOldest()
    this.#tokens.set(token, verified)
  }

  get size(): number {
    return this.#tokens.size
  }

  #deleteOldest(): void {
    for (const oldest of this.#tokens.keys()) {
      this.#tokens.delete(oldest)
      return
    }
  }
}
