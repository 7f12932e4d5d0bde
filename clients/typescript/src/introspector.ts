/** For services that ask the server: the same `verify(token)` as a verifier has, by introspection (RFC 7662). */

import { type AccessToken, DEFAULT_SKEW_SECONDS, MOST_CHARACTERS, requireAudience } from './access-token.js'
import { AuthorizationServer } from './authorization-server.js'
import type { Client } from './client-authentication.js'
import { required } from './discovery.js'
import { InvalidToken, ServerAway, Unverifiable } from './errors.js'
import { judgeIntrospectionAnswer } from './introspection.js'
import { type Send, sendBy } from './sending.js'
import { SingleFlight } from './single-flight.js'
import { introspect } from './token-requests.js'

const MOST_ANSWERS = 4096
const PRINTABLE = /^[\x20-\x7E]+$/

/** For how many seconds an answer counts; one that a token is good never past its `exp`. */
export interface Remember {
  readonly goodSeconds: number
  readonly badSeconds: number
}

const REMEMBER: Remember = { goodSeconds: 5, badSeconds: 30 }

export interface IntrospectorOptions {
  /** Exactly as the server calls itself. */
  readonly issuer: string
  /** The service's own registration; it must be let introspect. */
  readonly client: Client
  /** This service's name, as it stands in `aud`. */
  readonly audience: string
  readonly remember?: Partial<Remember>
  readonly fetch?: typeof globalThis.fetch
  /** Seconds since 1970. */
  readonly clock?: () => number
  /** Seconds of a clock that never runs backwards. */
  readonly ticks?: () => number
}

/** Asks about the access tokens of one issuer; whoever wants the same token meanwhile shares the question. */
export class Introspector {
  readonly #server: AuthorizationServer
  readonly #client: Client
  readonly #audience: string
  readonly #remember: Remember
  readonly #clock: () => number
  readonly #ticks: () => number
  readonly #send: Send
  readonly #flights = new SingleFlight<AccessToken | InvalidToken>()
  readonly #good = new Answers<AccessToken>()
  // Apart, so that a flood of bad tokens does not drive out the good ones.
  readonly #bad = new Answers<InvalidToken>()

  constructor({ issuer, client, audience, remember, fetch, clock, ticks }: IntrospectorOptions) {
    requireAudience(audience)
    this.#send = sendBy(fetch)
    this.#server = new AuthorizationServer(issuer, this.#send)
    this.#client = client
    this.#audience = audience
    this.#remember = { ...REMEMBER, ...remember }
    this.#clock = clock ?? (() => Date.now() / 1000)
    this.#ticks = ticks ?? (() => performance.now() / 1000)
  }

  /** Rejects with InvalidToken where it is not good, with Unverifiable where the server does not say. */
  async verify(token: string): Promise<AccessToken> {
    if (token.length > MOST_CHARACTERS || !PRINTABLE.test(token)) throw new InvalidToken('malformed')
    const answer = this.#remembered(token) ?? (await this.#flights.join(token, () => this.#ask(token)))
    if (answer instanceof InvalidToken) throw new InvalidToken(answer.reason)
    return answer
  }

  #remembered(token: string): AccessToken | InvalidToken | null {
    const good = this.#good.get(token, this.#ticks())
    if (good !== null && this.#clock() < good.expiresAt) return good
    return this.#bad.get(token, this.#ticks())
  }

  async #ask(token: string): Promise<AccessToken | InvalidToken> {
    const askedAt = this.#ticks()
    const answer = await this.#send(introspect(await this.#endpoint(), this.#client, token))
    const { issuer } = this.#server
    try {
      const good = judgeIntrospectionAnswer(answer, issuer, this.#audience, this.#clock(), DEFAULT_SKEW_SECONDS)
      this.#good.add(token, good, askedAt + this.#remember.goodSeconds)
      return good
    } catch (bad) {
      if (!(bad instanceof InvalidToken)) throw bad
      this.#bad.add(token, bad, askedAt + this.#remember.badSeconds)
      return bad
    }
  }

  async #endpoint(): Promise<string> {
    try {
      return required((await this.#server.metadata()).introspectionEndpoint, 'introspection_endpoint')
    } catch (error) {
      if (error instanceof ServerAway) throw new Unverifiable(error.message)
      throw error
    }
  }
}

/** Answers by token, each with its end; the oldest makes room. */
class Answers<Value> {
  readonly #answers = new Map<string, { until: number; answer: Value }>()

  get(token: string, ticks: number): Value | null {
    const found = this.#answers.get(token)
    return found !== undefined && ticks < found.until ? found.answer : null
  }

  add(token: string, answer: Value, until: number): void {
    this.#answers.delete(token)
    for (const oldest of this.#answers.keys()) {
      if (this.#answers.size < MOST_ANSWERS) break
      this.#answers.delete(oldest)
    }
    this.#answers.set(token, { until, answer })
  }
}
