/** Verification of ID tokens and logout tokens for apps. */

import { DEFAULT_SKEW_SECONDS } from './access-token.js'
import type { PendingAuthorization } from './authorization-request.js'
import { InvalidTokenError } from './errors.js'
import {
  type IdToken,
  type IdTokenRules,
  judgeIdToken,
  judgeLogoutToken,
  type LogoutToken,
  readIdToken,
  readLogoutToken,
} from './id-token.js'
import { IssuerKeys } from './issuer-keys.js'
import { ALGORITHMS, requireAlgorithms } from './key-set.js'
import { sendBy } from './sending.js'
import type { Tokens } from './token-answers.js'

export interface IdTokenVerifierOptions {
  /** Exactly as in the server's metadata. */
  readonly issuer: string
  readonly clientId: string
  readonly algorithms?: readonly string[]
  readonly skewSeconds?: number
  readonly fetch?: typeof globalThis.fetch
  /** Seconds since 1970. */
  readonly clock?: () => number
  /** Seconds of a clock that never runs backwards. */
  readonly monotonic?: () => number
}

/** Verifier of the ID tokens that one issuer issues to one client. */
export class IdTokenVerifier {
  readonly #rules: IdTokenRules
  readonly #keys: IssuerKeys
  readonly #clock: () => number

  constructor(options: IdTokenVerifierOptions) {
    const { issuer, clientId, algorithms = Object.keys(ALGORITHMS), skewSeconds = DEFAULT_SKEW_SECONDS } = options
    requireAlgorithms(algorithms)
    this.#rules = { issuer, clientId, algorithms, skewSeconds }
    this.#clock = options.clock ?? (() => Date.now() / 1000)
    this.#keys = new IssuerKeys(issuer, sendBy(options.fetch), options.monotonic ?? (() => performance.now() / 1000))
  }

  /** Return who logged in, from the tokens that `finishAuthorization` returned for this pending value.
   *
   * Reject with InvalidTokenError, with the reason `missing` if there is no ID token: then the scope had no `openid`. Reject
   * with VerificationUnavailableError if it cannot be verified now.
   */
  async verify(tokens: Tokens, pending: PendingAuthorization): Promise<IdToken> {
    if (tokens.idToken === null) throw new InvalidTokenError('missing')
    const unverified = readIdToken(tokens.idToken, this.#rules)
    const keys = await this.#keys.keysFor(unverified.kid)
    return judgeIdToken(unverified, this.#rules, keys, pending, tokens.accessToken, this.#clock())
  }

  /** Return whom the server logs out (OpenID Connect Back-Channel Logout). Reject like `verify`. */
  async verifyLogoutToken(text: string): Promise<LogoutToken> {
    const unverified = readLogoutToken(text, this.#rules)
    const keys = await this.#keys.keysFor(unverified.kid)
    return judgeLogoutToken(unverified, this.#rules, keys, this.#clock())
  }
}
