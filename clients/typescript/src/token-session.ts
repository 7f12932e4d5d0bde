/** Sessions for apps: log in, get valid access tokens, renew them, log out. Tasks and, with `tabStorage`, tabs share one. */

import { EARLY_ATTEMPTS, MAX_ATTEMPTS, sendUntilUsable } from './attempts.js'
import {
  type AuthorizationRequest,
  authorizationUrl,
  base64url,
  begin,
  type PendingAuthorization,
} from './authorization-request.js'
import { AuthorizationServer } from './authorization-server.js'
import { codeIn } from './callback.js'
import type { Client } from './client-authentication.js'
import { CurrentSession } from './current-session.js'
import { required } from './discovery.js'
import {
  ClientError,
  InvalidCallbackError,
  LoginRequiredError,
  RefusedError,
  ServerUnavailableError,
} from './errors.js'
import { logoutUrl } from './logout-request.js'
import type { Answer, Request } from './messages.js'
import { inParameters, type RefreshTokens } from './refresh-tokens.js'
import { type Send, sendBy } from './sending.js'
import { askedAt, beginRenewal, type Grant, renewed, type Session } from './session.js'
import { SingleFlight } from './single-flight.js'
import { memoryStorage, type Storage } from './storage.js'
import { judgeRevocationAnswer, judgeTokenAnswer, type Tokens } from './token-answers.js'
import * as tokenRequests from './token-requests.js'

export interface TokenSessionOptions {
  /** Exactly as in the server's metadata. */
  readonly issuer: string
  readonly client: Client
  /** Where the session is kept; by default in memory. */
  readonly storage?: Storage
  readonly fetch?: typeof globalThis.fetch
  /** Seconds since 1970. */
  readonly clock?: () => number
}

const HOLD_OFF_SECONDS = 5

export class TokenSession {
  readonly #server: AuthorizationServer
  readonly #client: Client
  readonly #current: CurrentSession
  readonly #send: Send
  readonly #clock: () => number
  readonly #refreshTokens: RefreshTokens
  readonly #renewals = new SingleFlight<string>()
  readonly #redemptions = new SingleFlight<Tokens>()

  /** `refreshTokens` says how the refresh token reaches the server. */
  constructor({ issuer, client, storage, fetch, clock }: TokenSessionOptions, refreshTokens = inParameters) {
    this.#refreshTokens = refreshTokens
    this.#send = sendBy(fetch)
    this.#server = new AuthorizationServer(issuer, this.#send)
    this.#client = { ...client, issuer }
    this.#clock = clock ?? (() => Date.now() / 1000)
    this.#current = new CurrentSession(storage ?? memoryStorage(), this.#clock)
  }

  /** Password grant, sent once; the user repeats it if it is lost. Reject with RefusedError if the password is wrong. */
  async logIn(username: string, password: string, { scope = null }: { scope?: string | null } = {}): Promise<void> {
    const endpoint = await this.#tokenEndpoint()
    const request = tokenRequests.logIn(endpoint, this.#client, username, password, scope)
    await this.#begin(request, 'password', scope)
  }

  /** Client credentials: a session without a user, renewed by the same grant. */
  async logInAsClient({ scope = null }: { scope?: string | null } = {}): Promise<void> {
    const endpoint = await this.#tokenEndpoint()
    const request = tokenRequests.logInAsClient(endpoint, this.#client, scope)
    await this.#begin(request, 'client_credentials', scope)
  }

  /** Resolve to the URL to which the browser is sent, and to what must be kept until it comes back. */
  async startAuthorization(request: AuthorizationRequest): Promise<{ url: string; pending: PendingAuthorization }> {
    const { issuer, authorizationEndpoint } = await this.#server.metadata(MAX_ATTEMPTS)
    const endpoint = required(authorizationEndpoint, 'authorization_endpoint')
    const pending = begin(issuer, request, this.#clock(), newSecret)
    return { url: await authorizationUrl(endpoint, this.#client, request, pending), pending }
  }

  /** Start a session with the redirect that came back: its URL, its query, or the form of a `form_post`.
   *
   * Reject with InvalidCallbackError if it does not answer the request, AccessDeniedError if the person refused,
   * RefusedError for other errors of the server. After ServerUnavailableError, the call can be repeated. Resolve
   * to the tokens: `IdTokenVerifier` says from them who logged in.
   */
  async finishAuthorization(pending: PendingAuthorization, callback: string): Promise<Tokens> {
    if (pending.issuer !== this.#server.issuer) throw new InvalidCallbackError('iss')
    const code = codeIn(callback, pending, this.#clock())
    // Pages may handle a redirect twice at once. A code that is sent twice would end the session at other servers.
    return this.#redemptions.join(code, () => this.#redeem(pending, code))
  }

  /** Return a valid access token, renewed ahead of its end. Reject with LoginRequiredError if the session is over. */
  async accessToken(): Promise<string> {
    const token = this.#current.goodToken()
    if (token === null) return this.#renewals.join('renewal', () => this.#renew(null, MAX_ATTEMPTS))
    // While it is still valid, one caller renews it and the others use it.
    if (!this.#current.isDue() || this.#renewals.isUnderWay('early renewal')) return token
    try {
      return await this.#renewals.join('early renewal', () => this.#renew(null, EARLY_ATTEMPTS))
    } catch (error) {
      if (!(error instanceof ClientError) || error instanceof LoginRequiredError) throw error
      const askedFor = error instanceof ServerUnavailableError ? error.retryAfter : 0
      this.#current.postponeRenewal(Math.max(askedFor, HOLD_OFF_SECONDS))
      return token
    }
  }

  /** Return another access token than this one, which a service has rejected. */
  renew(rejected: string): Promise<string> {
    return this.#renewals.join(`replacement of ${rejected}`, () => this.#renew(rejected, MAX_ATTEMPTS))
  }

  /** Delete the session, then revoke it. Reject with ServerUnavailableError if it could not be revoked.
   *
   * A logout must not fail halfway: the session is deleted even if the server is unavailable, and revoked even if the
   * storage cannot delete it.
   */
  async logOut(): Promise<void> {
    const { session, failed } = await this.#current.locked(() => this.#current.end())
    await this.#revoke(session?.tokens ?? null)
    if (failed !== null) throw failed
  }

  /** Call the listener when the session has ended: here, in another tab that shares the storage, or at the server.
   *
   * Return a function that stops this.
   */
  onEnd(listener: () => void): () => void {
    return this.#current.onEnd(listener)
  }

  /** Log out, and resolve to a URL at which the browser logs out at the server, and its state.
   *
   * The browser comes back to `postLogoutRedirectUri`; pass its URL and the state to `checkLogoutCallback`. Reject with
   * ServerUnavailableError if the session was deleted, but the URL is unknown: call it again.
   */
  async startLogout(postLogoutRedirectUri: string | null = null): Promise<{ url: string; state: string }> {
    const session = await this.#current.stored()
    await this.logOut().catch((error: unknown) => {
      // The browser is sent to the server, which ends the session as well.
      if (!(error instanceof ServerUnavailableError || error instanceof RefusedError)) throw error
    })
    const { endSessionEndpoint } = await this.#server.metadata(MAX_ATTEMPTS)
    const endpoint = required(endSessionEndpoint, 'end_session_endpoint')
    const [hint, state] = [session?.tokens.idToken ?? null, newSecret()]
    return { url: logoutUrl(endpoint, this.#client, hint, postLogoutRedirectUri, state), state }
  }

  async #redeem(pending: PendingAuthorization, code: string): Promise<Tokens> {
    const { redirectUri, codeVerifier, idempotencyKey, scope } = pending
    const endpoint = await this.#tokenEndpoint()
    const request = tokenRequests.redeem(endpoint, this.#client, code, redirectUri, codeVerifier, idempotencyKey)
    return this.#begin(request, 'authorization_code', scope, MAX_ATTEMPTS)
  }

  /** Send a login, after checking that its result can be stored. A password is sent once: the user repeats it. */
  #begin(login: Request, grant: Grant, scope: string | null, maxAttempts = 1): Promise<Tokens> {
    const request = this.#refreshTokens.accepted(login)
    const { isForwarded } = this.#refreshTokens
    return this.#current.locked(async () => {
      await this.#current.checkStorage()
      const now = this.#clock()
      const judge = (answer: Answer | null) => judgeTokenAnswer(answer, now, isForwarded)
      const tokens = await sendUntilUsable(this.#send, request, judge, maxAttempts)
      await this.#current.store({ tokens, grant, scope, pending: null })
      return tokens
    })
  }

  #renew(rejected: string | null, maxAttempts: number): Promise<string> {
    return this.#current.locked(async () => {
      const session = await this.#current.load(this.#refreshTokens.implied)
      if (session === null) throw new LoginRequiredError('there is no stored session: log in')
      const isDue = this.#current.goodToken() === null || this.#current.isDue()
      if (!isDue && session.tokens.accessToken !== rejected) return session.tokens.accessToken
      return (await this.#renewed(session, maxAttempts)).tokens.accessToken
    })
  }

  /** Repeat the request until it has an outcome, soon, because servers repeat a response only for a while. */
  async #renewed(kept: Session, maxAttempts: number): Promise<Session> {
    const endpoint = await this.#tokenEndpoint(maxAttempts)
    const begun = this.#clock()
    const session = beginRenewal(kept, newSecret(), begun)
    const request = this.#renewalRequest(endpoint, session)
    await this.#current.store(session)
    const judge = (answer: Answer | null) =>
      judgeTokenAnswer(answer, askedAt(session, begun, this.#clock()), this.#refreshTokens.isForwarded)
    try {
      const tokens = await sendUntilUsable(this.#send, request, judge, maxAttempts)
      return await this.#current.storeOutcome(session.pending, renewed(session, tokens))
    } catch (error) {
      const isOver = error instanceof RefusedError && error.error === 'invalid_grant'
      if (!isOver || session.grant === 'client_credentials') throw error
      await this.#current.delete()
      throw new LoginRequiredError('the session is over')
    }
  }

  #renewalRequest(endpoint: string, session: Session): Request {
    const { pending, tokens, scope } = session
    if (pending === null) return tokenRequests.logInAsClient(endpoint, this.#client, scope)
    const request = this.#refreshTokens.refresh(endpoint, this.#client, tokens, pending.idempotencyKey)
    if (request !== null) return request
    throw new LoginRequiredError('the session has ended, and the server gave no refresh token')
  }

  async #revoke(tokens: Tokens | null): Promise<void> {
    if (tokens === null && this.#refreshTokens.implied === null) return
    const { revocationEndpoint } = await this.#server.metadata(MAX_ATTEMPTS)
    if (revocationEndpoint === null) return // the server offers no revocation
    const request = this.#refreshTokens.revoke(revocationEndpoint, this.#client, tokens)
    await sendUntilUsable(this.#send, request, judgeRevocationAnswer, MAX_ATTEMPTS)
  }

  async #tokenEndpoint(maxAttempts = MAX_ATTEMPTS): Promise<string> {
    return required((await this.#server.metadata(maxAttempts)).tokenEndpoint, 'token_endpoint')
  }
}

/** Return 256 random bits in base64url: guessing a key would reveal the response of its request. */
function newSecret(): string {
  return base64url(crypto.getRandomValues(new Uint8Array(32)))
}
