/** Sessions for apps: log in, get valid access tokens, renew them, log out. Tasks and, with `tabStorage`, tabs share one. */

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
import { required, type ServerMetadata } from './discovery.js'
import {
  ClientError,
  InvalidCallbackError,
  LoginRequiredError,
  RefusedError,
  ServerUnavailableError,
} from './errors.js'
import { logoutUrl } from './logout-request.js'
import type { Request } from './messages.js'
import { inParameters, type RefreshTokens } from './refresh-tokens.js'
import { type Send, sendBy } from './sending.js'
import {
  afterAttempt,
  askedAt,
  beginRenewal,
  EARLY_ATTEMPTS,
  type Grant,
  MAX_ATTEMPTS,
  Pause,
  pause,
  type Session,
} from './session.js'
import { SingleFlight } from './single-flight.js'
import { memoryStorage, type Storage } from './storage.js'
import { judgeRevocationAnswer, judgeTokenAnswer, type Tokens, TryAgain } from './token-answers.js'
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
    const { issuer, authorizationEndpoint } = await this.#discovered()
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
    const { redirectUri, codeVerifier, idempotencyKey, scope } = pending
    const code = codeIn(callback, pending, this.#clock())
    const endpoint = await this.#tokenEndpoint()
    const request = tokenRequests.redeem(endpoint, this.#client, code, redirectUri, codeVerifier, idempotencyKey)
    return this.#begin(request, 'authorization_code', scope, MAX_ATTEMPTS)
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
   * The browser comes back to `postLogoutRedirectUri`; pass its URL and the state to `checkLogoutCallback`.
   */
  async startLogout(postLogoutRedirectUri: string | null = null): Promise<{ url: string; state: string }> {
    const { endSessionEndpoint } = await this.#discovered()
    const endpoint = required(endSessionEndpoint, 'end_session_endpoint')
    const session = await this.#current.stored()
    await this.logOut().catch((error: unknown) => {
      // The browser is sent to the server, which ends the session as well.
      if (!(error instanceof ServerUnavailableError)) throw error
    })
    const state = newSecret()
    return {
      url: logoutUrl(endpoint, this.#client, session?.tokens.idToken ?? null, postLogoutRedirectUri, state),
      state,
    }
  }

  /** Send a login, after checking that its result can be stored. A password is sent once: the user repeats it. */
  #begin(login: Request, grant: Grant, scope: string | null, maxAttempts = 1): Promise<Tokens> {
    const request = this.#refreshTokens.accepted(login)
    const { isForwarded } = this.#refreshTokens
    return this.#current.locked(async () => {
      await this.#current.checkStorage()
      const now = this.#clock()
      let judged = judgeTokenAnswer(await this.#send(request), now, isForwarded)
      for (let attempt = 1; judged instanceof TryAgain && attempt < maxAttempts; attempt += 1) {
        await waited(pause(attempt, judged.after, Math.random()))
        judged = judgeTokenAnswer(await this.#send(request), now, isForwarded)
      }
      if (judged instanceof RefusedError) throw judged
      if (judged instanceof TryAgain)
        throw new ServerUnavailableError('no usable response to the login', judged.after ?? 1)
      await this.#current.store({ tokens: judged, grant, scope, pending: null })
      return judged
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
    const session = beginRenewal(kept, newSecret(), this.#clock())
    const request = this.#renewalRequest(endpoint, session)
    await this.#current.store(session)
    for (let attempt = 1; ; attempt += 1) {
      const since = askedAt(session, this.#clock())
      const judged = judgeTokenAnswer(await this.#send(request), since, this.#refreshTokens.isForwarded)
      const outcome = afterAttempt(session, judged, attempt, maxAttempts, Math.random())
      if (outcome instanceof LoginRequiredError) await this.#current.delete()
      if (outcome instanceof Error) throw outcome
      if (outcome instanceof Pause) {
        await waited(outcome.seconds)
        continue
      }
      return await this.#current.storeOutcome(session.pending, outcome)
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
    const { revocationEndpoint } = await this.#discovered()
    if (revocationEndpoint === null) return // the server offers no revocation
    const request = this.#refreshTokens.revoke(revocationEndpoint, this.#client, tokens)
    for (let attempt = 1; ; attempt += 1) {
      const judged = judgeRevocationAnswer(await this.#send(request))
      if (judged === null) return
      if (judged instanceof RefusedError) throw judged
      if (attempt === MAX_ATTEMPTS)
        throw new ServerUnavailableError('logged out locally; the server could not revoke the tokens')
      await waited(pause(attempt, judged.after, Math.random()))
    }
  }

  async #tokenEndpoint(maxAttempts = MAX_ATTEMPTS): Promise<string> {
    return required((await this.#discovered(maxAttempts)).tokenEndpoint, 'token_endpoint')
  }

  async #discovered(maxAttempts = MAX_ATTEMPTS): Promise<ServerMetadata> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#server.metadata()
      } catch (error) {
        if (!(error instanceof ServerUnavailableError) || attempt >= maxAttempts) throw error
        await waited(pause(attempt, null, Math.random()))
      }
    }
  }
}

/** Return 256 random bits in base64url: guessing a key would reveal the response of its request. */
function newSecret(): string {
  return base64url(crypto.getRandomValues(new Uint8Array(32)))
}

function waited(seconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, seconds * 1000))
}
