/** What a service requires of requests with tokens that are bound to a key (RFC 9449 sections 7 and 9). */

import { type DPoPNonces, NONCE_SECONDS } from './dpop-nonces.js'
import {
  digestOf,
  judgeProof,
  MAX_AGE_SECONDS,
  MAX_AHEAD_SECONDS,
  PROOF_ALGORITHMS,
  type ProvenRequest,
} from './dpop-proof.js'
import { InvalidProofError, NonceRequiredError } from './errors.js'
import { requireAlgorithms } from './key-set.js'
import { MemoryUsedProofs, type UsedProofs } from './used-proofs.js'

/** How long a proof can be used at most: by its age, or by its nonce. */
const REMEMBERED_SECONDS = Math.max(MAX_AGE_SECONDS + MAX_AHEAD_SECONDS, 2 * NONCE_SECONDS)

export interface DPoPOptions {
  /** Accept no bearer tokens. */
  readonly required?: boolean
  /** Where used proofs are remembered; by default in the memory of this process. */
  readonly usedProofs?: UsedProofs
  /** With them, a proof must contain a nonce of this service, so that none can be made in advance. */
  readonly nonces?: DPoPNonces
  readonly algorithms?: readonly string[]
  /** Seconds since 1970. */
  readonly clock?: () => number
}

/** `new DPoP()` accepts tokens that are bound to a key, with a proof of it, beside bearer tokens. */
export class DPoP {
  readonly required: boolean
  readonly algorithms: readonly string[]
  readonly #usedProofs: UsedProofs
  readonly #nonces: DPoPNonces | null
  readonly #clock: () => number

  constructor(options: DPoPOptions = {}) {
    this.required = options.required ?? false
    this.algorithms = options.algorithms ?? PROOF_ALGORITHMS
    requireAlgorithms(this.algorithms)
    this.#usedProofs = options.usedProofs ?? new MemoryUsedProofs()
    this.#nonces = options.nonces ?? null
    this.#clock = options.clock ?? (() => Date.now() / 1000)
  }

  /** Return the members of resource metadata (RFC 9728 section 2). */
  metadata(): Record<string, unknown> {
    return {
      dpop_signing_alg_values_supported: this.algorithms,
      dpop_bound_access_tokens_required: this.required,
    }
  }

  /** Return the headers of every response: the nonce for the next request (RFC 9449 section 8.2). */
  async headers(): Promise<Record<string, string>> {
    return this.#nonces === null ? {} : { 'dpop-nonce': await this.#nonces.current(this.#clock()) }
  }

  /** Check the proof in these DPoP headers, and that it was not used before.
   *
   * Reject with InvalidProofError, NonceRequiredError, or VerificationUnavailableError if that cannot be known now.
   */
  async check(proofs: readonly string[], request: ProvenRequest): Promise<void> {
    const now = this.#clock()
    const proof = await judgeProof(proofs, request, this.algorithms, now, { hasNonces: this.#nonces !== null })
    if (this.#nonces !== null && !(await this.#nonces.accepts(proof.nonce, now))) throw new NonceRequiredError()
    const name = await digestOf(`${request.thumbprint} ${proof.target} ${proof.jti}`)
    if (!(await this.#usedProofs.use(name, REMEMBERED_SECONDS))) throw new InvalidProofError('used')
  }
}
