/** Introspector for services: the same `verify(token)` as a verifier, by introspection (RFC 7662). */

import { type AccessToken, DEFAULT_SKEW_SECONDS, MAX_CHARACTERS, requireAudience } from './access-token.js'
import { AuthorizationServer } from './authorization-server.js'
import type { Client } from './client-authentication.js'
import { required } from './discovery.js'
import { InvalidTokenError, ServerUnavailableError, VerificationUnavailableError } from './errors.js'
import { judgeIntrospectionAnswer } from './introspection.js'
import { type Send, sendBy } from './sending.js'
import { SingleFlight } from './single-flight.js'
import { introspect } from './token-requests.js'

const MAX_ANSWERS = 4096
const PRINTABLE = /^[\x20-\x7E]+$/

/** How many seconds a result is cached; a valid one never past its `exp`. */
export interface CacheLimits {
  readonly goodSeconds: number
  readonly badSeconds: number
}

const DEFAULT_CACHE_LIMITS: CacheLimits = { goodSeconds: 5, badSeconds: 30 }

export interface IntrospectorOptions {
  /** Exactly as in the server's metadata. */
  readonly issuer: string
  /** The service's own registration, which must be allowed to introspect. */
  readonly client: Client
  /** This service's name, as in the claim `aud`. */
  readonly audience: string
  readonly cacheLimits?: Partial<CacheLimits>
  readonly fetch?: typeof globalThis.fetch
  /** Seconds since 1970. */
  readonly clock?: () => number
  /** Seconds of a clock that never runs backwards. */
  readonly monotonic?: () => number
}

/** Introspection of access tokens of one issuer. Concurrent calls for the same token share one request. */
export class Introspector {
  readonly #server: AuthorizationServer
  readonly #client: Client
  readonly #audience: string
  readonly #cacheLimits: CacheLimits
  readonly #clock: () => number
  readonly #monotonic: () => number
  readonly #send: Send
  readonly #flights = new SingleFlight<AccessToken | InvalidTokenError>()
  readonly #good = new Answers<AccessToken>()
  // Separate, so that a flood of bad tokens does not evict the good ones.
  readonly #bad = new Answers<InvalidTokenError>()

  constructor({ issuer, client, audience, cacheLimits, fetch, clock, monotonic }: IntrospectorOptions) {
    requireAudience(audience)
    this.#send = sendBy(fetch)
    this.#server = new AuthorizationServer(issuer, this.#send)
    this.#client = { ...client, issuer }
    this.#audience = audience
    this.#cacheLimits = { ...DEFAULT_CACHE_LIMITS, ...cacheLimits }
    this.#clock = clock ?? (() => Date.now() / 1000)
    this.#monotonic = monotonic ?? (() => performance.now() / 1000)
  }

  /** Return the token. Reject with InvalidTokenError, or VerificationUnavailableError if the server gives no result. */
  async verify(token: string): Promise<AccessToken> {
    if (token.length > MAX_CHARACTERS || !PRINTABLE.test(token)) throw new InvalidTokenError('malformed')
    const answer = this.#cached(token) ?? (await this.#flights.join(token, () => this.#ask(token)))
    if (answer instanceof InvalidTokenError) throw new InvalidTokenError(answer.reason)
    return answer
  }

  #cached(token: string): AccessToken | InvalidTokenError | null {
    const good = this.#good.get(token, this.#monotonic())
    if (good !== null && this.#clock() < good.expiresAt) return good
    return this.#bad.get(token, this.#monotonic())
  }

  async #ask(token: string): Promise<AccessToken | InvalidTokenError> {
    const askedAt = this.#monotonic()
    const answer = await this.#send(introspect(await this.#endpoint(), this.#client, token))
    const { issuer } = this.#server
    try {
      const good = judgeIntrospectionAnswer(answer, issuer, this.#audience, this.#clock(), DEFAULT_SKEW_SECONDS)
      this.#good.add(token, good, askedAt + this.#cacheLimits.goodSeconds)
      return good
    } catch (bad) {
      if (!(bad instanceof InvalidTokenError)) throw bad
      this.#bad.add(token, bad, askedAt + this.#cacheLimits.badSeconds)
      return bad
    }
  }

  async #endpoint(): Promise<string> {
    try {
      return required((await this.#server.metadata()).introspectionEndpoint, 'introspection_endpoint')
    } catch (error) {
      if (error instanceof ServerUnavailableError) throw new VerificationUnavailableError(error.message)
      throw error
    }
  }
}

/** Cached results by token, each with its expiry; the oldest one is evicted. */
class Answers<Value> {
  readonly #answers = new Map<string, { until: number; answer: Value }>()

  get(token: string, monotonic: number): Value | null {
    const found = this.#answers.get(token)
    return found !== undefined && monotonic < found.until ? found.answer : null
  }

  add(token: string, answer: Value, until: number): void {
    this.#answers.delete(token)
    for (const oldest of this.#answers.keys()) {
      if (this.#answers.size < MAX_ANSWERS) break
      this.#answers.delete(oldest)
    }
    this.#answers.set(token, { until, answer })
  }
}
