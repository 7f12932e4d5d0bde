/** DPoP proofs that were used: a second use is refused (RFC 9449 section 11.1). */

import { VerificationUnavailableError } from './errors.js'

const MAX_PROOFS = 100_000

/** Storage of used proofs. Share one between all processes of a service, or a proof can be used once in each. */
export interface UsedProofs {
  /** Remember the name for this long, in one atomic step. Resolve to whether it was not remembered yet.
   *
   * Reject with VerificationUnavailableError if that is impossible now. With Redis: `SET name 1 NX EX seconds`.
   */
  use(name: string, seconds: number): Promise<boolean>
}

/** Used proofs in the memory of this process. If it is full, requests are answered 503 instead of forgetting one. */
export class MemoryUsedProofs implements UsedProofs {
  readonly #maxEntries: number
  readonly #monotonic: () => number
  readonly #ends = new Map<string, number>()

  constructor(maxEntries = MAX_PROOFS, monotonic = () => performance.now() / 1000) {
    this.#maxEntries = maxEntries
    this.#monotonic = monotonic
  }

  /** See `UsedProofs`. `seconds` must be the same for all names, so that the oldest entry ends first. */
  async use(name: string, seconds: number): Promise<boolean> {
    const now = this.#monotonic()
    const left = this.#deleteEnded(now)
    if (this.#ends.has(name)) return false
    if (this.#ends.size >= this.#maxEntries) {
      throw new VerificationUnavailableError('too many DPoP proofs in a short time', left)
    }
    this.#ends.set(name, now + seconds)
    return true
  }

  /** Delete entries that have ended. Return after how many seconds the next one ends. */
  #deleteEnded(now: number): number {
    for (const [name, end] of this.#ends) {
      if (end > now) return end - now
      this.#ends.delete(name)
    }
    return 0
  }
}
