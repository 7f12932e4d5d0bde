/** Verification of access tokens for services. Concurrent callers share each fetch, and results are cached. */

import {
  type AccessToken,
  DEFAULT_SKEW_SECONDS,
  judgeAccessToken,
  type Rules,
  readAccessToken,
  requireAudience,
  type StatusReference,
} from './access-token.js'
import { ClientError, InvalidTokenError, VerificationUnavailableError } from './errors.js'
import { IssuerKeys } from './issuer-keys.js'
import { ALGORITHMS, type KeySet, requireAlgorithms } from './key-set.js'
import type { Answer } from './messages.js'
import { type Send, sendBy } from './sending.js'
import { SingleFlight } from './single-flight.js'
import {
  askForList,
  type CachedList,
  isUsable,
  listAnswered,
  mayFollow,
  noList,
  readStatusListToken,
  statusAt,
  statusListRequest,
  VALID,
} from './status-list.js'
import { MAX_TOKENS, VerifiedTokens } from './verified-tokens.js'

const MAX_LISTS = 64
const NO_KEY: KeySet = new Map()

/** How ended sessions are noticed: by the status list that a token names, fetched again after its `ttl`.
 *
 * If it cannot be fetched, the last one is used for `maxStaleSeconds` more (never past its `exp`). After that, its tokens
 * are refused (VerificationUnavailableError), or accepted until they expire.
 */
export interface StatusPolling {
  readonly maxStaleSeconds: number
  readonly onUnavailable: 'refuse' | 'accept'
}

const DEFAULT_STATUS_POLLING: StatusPolling = { maxStaleSeconds: 60, onUnavailable: 'refuse' }

export interface VerifierOptions {
  /** Exactly as in the server's metadata. */
  readonly issuer: string
  /** This service's name, as in the claim `aud`. */
  readonly audience: string
  /** `null`: ended sessions are not noticed before their tokens expire. */
  readonly status?: Partial<StatusPolling> | null
  readonly algorithms?: readonly string[]
  readonly skewSeconds?: number
  /** Size of the cache of verified tokens; 0 disables it. */
  readonly maxCacheEntries?: number
  /** How long keys are used beyond their `max-age` while they cannot be fetched; by default an hour. */
  readonly keyMaxStaleSeconds?: number
  readonly fetch?: typeof globalThis.fetch
  /** Seconds since 1970. */
  readonly clock?: () => number
  /** Seconds of a clock that never runs backwards. */
  readonly monotonic?: () => number
}

/** Verifier of access tokens of one issuer for one audience. */
export class Verifier {
  readonly #rules: Rules
  readonly #polling: StatusPolling | null
  readonly #clock: () => number
  readonly #monotonic: () => number
  readonly #send: Send
  readonly #keys: IssuerKeys
  readonly #verified: VerifiedTokens
  readonly #lists = new Map<string, CachedList>()
  readonly #flights = new SingleFlight<void>()

  constructor(options: VerifierOptions) {
    const {
      issuer,
      audience,
      algorithms = Object.keys(ALGORITHMS),
      skewSeconds = DEFAULT_SKEW_SECONDS,
      status,
    } = options
    requireAlgorithms(algorithms)
    requireAudience(audience)
    this.#rules = { issuer, audience, algorithms, skewSeconds }
    this.#polling = status === null ? null : { ...DEFAULT_STATUS_POLLING, ...status }
    this.#clock = options.clock ?? (() => Date.now() / 1000)
    this.#monotonic = options.monotonic ?? (() => performance.now() / 1000)
    this.#send = sendBy(options.fetch)
    this.#keys = new IssuerKeys(issuer, this.#send, this.#monotonic, options.keyMaxStaleSeconds)
    this.#verified = new VerifiedTokens(options.maxCacheEntries ?? MAX_TOKENS)
  }

  /** Return the token. Reject with InvalidTokenError, or VerificationUnavailableError if it cannot be verified now. */
  async verify(token: string): Promise<AccessToken> {
    return this.#cached(token) ?? (await this.#verify(token))
  }

  /** Return the token if it was verified before with keys and status that are fresh, otherwise `null`. */
  #cached(token: string): AccessToken | null {
    const found = this.#verified.get(token, this.#keys.cached.keys, this.#clock())
    if (found === null || this.#monotonic() >= this.#keys.cached.freshness.freshUntil) return null
    if (found.status === null || this.#polling === null) return found
    const known = this.#lists.get(found.status.uri)
    if (known === undefined || this.#monotonic() >= known.freshness.freshUntil) return null
    return statusIn(known, found.status) === VALID ? found : null
  }

  async #verify(token: string): Promise<AccessToken> {
    const unverified = readAccessToken(token, this.#rules)
    const keys = await this.#keys.keysFor(unverified.kid)
    const now = this.#clock()
    let verified = this.#verified.get(token, keys, now)
    if (verified === null) {
      verified = await judgeAccessToken(unverified, this.#rules, keys, now)
      this.#verified.add(token, verified, keys)
    }
    if (verified.status !== null && this.#polling !== null) await this.#checkStatus(verified.status, this.#polling)
    return verified
  }

  async #checkStatus(reference: StatusReference, polling: StatusPolling): Promise<void> {
    const { uri } = reference
    let known = this.#listAt(reference)
    const ask = askForList(known, this.#monotonic())
    if (ask === 'blocking' || (ask === 'background' && !this.#flights.isUnderWay(uri))) {
      await this.#flights.join(uri, () => this.#fetchList(known))
      known = this.#lists.get(uri) ?? known
    }
    if (!isUsable(known, this.#monotonic(), polling.maxStaleSeconds)) {
      if (polling.onUnavailable === 'accept') return
      throw new VerificationUnavailableError(`the status list ${uri} is unavailable`)
    }
    const status = statusIn(known, reference)
    if (status !== VALID) throw new InvalidTokenError(status === null ? 'status' : 'ended')
  }

  #listAt(reference: StatusReference): CachedList {
    const known = this.#lists.get(reference.uri)
    if (known !== undefined) return known
    if (!mayFollow(reference, this.#rules.issuer)) throw new InvalidTokenError('status')
    for (const oldest of this.#lists.keys()) {
      if (this.#lists.size < MAX_LISTS) break
      this.#lists.delete(oldest)
    }
    const list = noList(reference.uri)
    this.#lists.set(reference.uri, list)
    return list
  }

  async #fetchList(known: CachedList): Promise<void> {
    const now = this.#monotonic()
    const answer = await this.#send(statusListRequest(known))
    const keys = await this.#keysThatSigned(answer)
    this.#lists.set(known.uri, await listAnswered(known, answer, this.#rules, keys, now, this.#clock()))
  }

  /** Fetch the key that a list names, if it is unknown: the list may be the first that it signs. */
  async #keysThatSigned(answer: Answer | null): Promise<KeySet> {
    try {
      return answer?.status === 200 ? await this.#keys.keysFor(readStatusListToken(answer, this.#rules).kid) : NO_KEY
    } catch (error) {
      if (error instanceof ClientError) return NO_KEY // listAnswered judges the response as a whole
      throw error
    }
  }
}

/** Return the status, or `null` if the list is too short. */
function statusIn({ statusList }: CachedList, { idx }: StatusReference): number | null {
  return statusList && statusAt(statusList, idx)
}
