/** Keys of one issuer: fetched by discovery, cached, fetched again for an unknown `kid`. */

import { AuthorizationServer } from './authorization-server.js'
import { isAway } from './cached-document.js'
import { required } from './discovery.js'
import { ServerUnavailableError, VerificationUnavailableError } from './errors.js'
import { askForKey, type CachedKeys, type KeySet, keySetRequest, keysAnswered, NO_KEYS, usableKeys } from './key-set.js'
import type { Answer } from './messages.js'
import type { Send } from './sending.js'
import { SingleFlight } from './single-flight.js'

const KEYS = 'keys'

export class IssuerKeys {
  readonly #server: AuthorizationServer
  readonly #send: Send
  readonly #monotonic: () => number
  readonly #flights = new SingleFlight<void>()
  #cached: CachedKeys

  /** Throws UntrustedServerError unless the issuer is https or loopback. */
  constructor(issuer: string, send: Send, monotonic: () => number, maxStaleSeconds = NO_KEYS.maxStaleSeconds) {
    this.#server = new AuthorizationServer(issuer, send)
    this.#send = send
    this.#monotonic = monotonic
    this.#cached = { ...NO_KEYS, maxStaleSeconds }
  }

  /** The keys as last fetched. */
  get cached(): CachedKeys {
    return this.#cached
  }

  /** Return the keys, with this one if the issuer has it. Reject with VerificationUnavailableError without them. */
  async keysFor(kid: string): Promise<KeySet> {
    const ask = askForKey(this.#cached, kid, this.#monotonic())
    if (ask === 'blocking' || (ask === 'background' && !this.#flights.isUnderWay(KEYS))) {
      await this.#flights.join(KEYS, () => this.#fetch())
    }
    const keys = usableKeys(this.#cached, this.#monotonic())
    if (keys === null || (!keys.has(kid) && isAway(this.#cached.freshness))) {
      throw new VerificationUnavailableError(`the keys of ${this.#server.issuer} are unavailable`)
    }
    return keys
  }

  async #fetch(): Promise<void> {
    const now = this.#monotonic()
    let answer: Answer | null = null
    try {
      const { jwksUri } = await this.#server.metadata()
      answer = await this.#send(keySetRequest(this.#cached, required(jwksUri, 'jwks_uri')))
    } catch (error) {
      if (!(error instanceof ServerUnavailableError)) throw error
    } finally {
      // Also after an error, so that not every caller fetches again.
      this.#cached = await keysAnswered(this.#cached, answer, now)
    }
  }
}
