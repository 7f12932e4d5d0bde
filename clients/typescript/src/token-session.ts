/** For apps: log in, hand out valid access tokens, renew them, log out. Shared by tasks and, with `tabStorage`, by tabs. */

import { AuthorizationServer } from './authorization-server.js'
import type { Client } from './client-authentication.js'
import { required, type ServerMetadata } from './discovery.js'
import { ClientError, LoginRequiredError, RefusedError, ServerUnavailableError } from './errors.js'
import type { Request } from './messages.js'
import { type Send, sendBy } from './sending.js'
import {
  afterAttempt,
  askedAt,
  beginRenewal,
  EARLY_ATTEMPTS,
  type Grant,
  hasEnded,
  MAX_ATTEMPTS,
  Pause,
  type PendingRefresh,
  pause,
  renewAt,
  type Session,
} from './session.js'
import { SingleFlight } from './single-flight.js'
import { CheckedStorage, memoryStorage, type Storage } from './storage.js'
import { judgeRevocationAnswer, judgeTokenAnswer, type Tokens, TryAgain } from './token-answers.js'
import * as tokenRequests from './token-requests.js'

export interface TokenSessionOptions {
  /** Exactly as the server calls itself. */
  readonly issuer: string
  readonly client: Client
  /** Where the session is kept; in memory where nothing is said. */
  readonly storage?: Storage
  readonly fetch?: typeof globalThis.fetch
  /** Seconds since 1970. */
  readonly clock?: () => number
}

const HOLD_OFF_SECONDS = 5

export class TokenSession {
  readonly #server: AuthorizationServer
  readonly #client: Client
  readonly #storage: CheckedStorage
  readonly #send: Send
  readonly #clock: () => number
  readonly #renewals = new SingleFlight<string>()
  #session: Session | null = null
  #renewAt = 0
  /** A refresh, and what it led to: remembered until it is stored. */
  #unstored: { readonly pending: PendingRefresh; readonly outcome: Session } | null = null

  constructor({ issuer, client, storage, fetch, clock }: TokenSessionOptions) {
    this.#send = sendBy(fetch)
    this.#server = new AuthorizationServer(issuer, this.#send)
    this.#client = client
    this.#storage = new CheckedStorage(storage ?? memoryStorage())
    this.#clock = clock ?? (() => Date.now() / 1000)
    this.#storage.follow((session) => this.#keep(session))
  }

  /** Password grant. Throws RefusedError where the password is wrong. It asks once: a login that was lost is for the user to repeat. */
  async logIn(username: string, password: string, { scope = null }: { scope?: string | null } = {}): Promise<void> {
    const endpoint = await this.#tokenEndpoint()
    const request = tokenRequests.logIn(endpoint, this.#client, username, password, scope)
    await this.#begin(request, 'password', scope)
  }

  /** Client credentials: no user is involved, and the client logs in again by itself. */
  async logInAsClient({ scope = null }: { scope?: string | null } = {}): Promise<void> {
    const endpoint = await this.#tokenEndpoint()
    const request = tokenRequests.logInAsClient(endpoint, this.#client, scope)
    await this.#begin(request, 'client_credentials', scope)
  }

  /** An access token that is good now, renewed ahead of its end. Throws LoginRequiredError where the session is over. */
  async accessToken(): Promise<string> {
    const token = this.#goodToken()
    if (token === null) return this.#renewals.join('renewal', () => this.#renew(null, MAX_ATTEMPTS))
    // While it is good, one caller renews it, and the others go on with it.
    const isDue = this.#clock() >= this.#renewAt
    if (!isDue || this.#renewals.isUnderWay('early renewal')) return token
    try {
      return await this.#renewals.join('early renewal', () => this.#renew(null, EARLY_ATTEMPTS))
    } catch (error) {
      if (!(error instanceof ClientError) || error instanceof LoginRequiredError) throw error
      const askedFor = error instanceof ServerUnavailableError ? error.retryAfter : 0
      this.#renewAt = this.#clock() + Math.max(askedFor, HOLD_OFF_SECONDS)
      return token
    }
  }

  /** Another token than this one, which a service would not take. */
  renew(rejected: string): Promise<string> {
    return this.#renewals.join(`replacement of ${rejected}`, () => this.#renew(rejected, MAX_ATTEMPTS))
  }

  /** Forgets the session, then revokes it. Throws ServerUnavailableError where the server could not be told.
   *
   * Forgotten in any case: whoever logs out must not stay logged in because the server is away. Revoked in any case: nor
   * because the storage does not forget.
   */
  async logOut(): Promise<void> {
    const { session, failed } = await this.#storage.locked(async () => {
      const session = await this.#storage.load()
      return { session, failed: await this.#forget() }
    })
    if (session !== null) await this.#revoke(session.tokens)
    if (failed !== null) throw failed
  }

  /** No password is sent that leads to nothing: a session that cannot be kept is found out before. */
  #begin(request: Request, grant: Grant, scope: string | null): Promise<void> {
    return this.#storage.locked(async () => {
      await this.#storage.check()
      const now = this.#clock()
      const judged = judgeTokenAnswer(await this.#send(request), now)
      if (judged instanceof RefusedError) throw judged
      if (judged instanceof TryAgain)
        throw new ServerUnavailableError('no usable answer to the login', judged.after ?? 1)
      await this.#store({ tokens: judged, grant, scope, pending: null })
    })
  }

  #renew(rejected: string | null, maxAttempts: number): Promise<string> {
    return this.#storage.locked(async () => {
      const session = await this.#loaded()
      if (session === null) {
        this.#keep(null)
        throw new LoginRequiredError('no session is kept: log in')
      }
      // Somebody else has renewed it.
      if (session.tokens.accessToken !== this.#session?.tokens.accessToken) this.#keep(session)
      const isDue = this.#goodToken() === null || this.#clock() >= this.#renewAt
      if (!isDue && session.tokens.accessToken !== rejected) return session.tokens.accessToken
      return (await this.#renewed(session, maxAttempts)).tokens.accessToken
    })
  }

  /** What is stored; or what a refresh that is stored as under way has led to, where that could not be stored yet. */
  async #loaded(): Promise<Session | null> {
    const session = await this.#storage.load()
    const { pending, outcome } = this.#unstored ?? {}
    const isFinished = outcome !== undefined && pending?.idempotencyKey === session?.pending?.idempotencyKey
    return isFinished ? this.#store(outcome) : session
  }

  /** Asks until an answer is judged; a lost one soon again, since a server repeats it for a while only. */
  async #renewed(kept: Session, maxAttempts: number): Promise<Session> {
    const endpoint = await this.#tokenEndpoint(maxAttempts)
    const session = beginRenewal(kept, randomKey(), this.#clock())
    await this.#store(session)
    const request = this.#renewalRequest(endpoint, session)
    for (let attempt = 1; ; attempt += 1) {
      const since = askedAt(session, this.#clock())
      const judged = judgeTokenAnswer(await this.#send(request), since)
      const outcome = afterAttempt(session, judged, attempt, maxAttempts, Math.random())
      if (outcome instanceof LoginRequiredError) await this.#forget()
      if (outcome instanceof Error) throw outcome
      if (outcome instanceof Pause) {
        await waited(outcome.seconds)
        continue
      }
      // Remembered until it is stored: the server repeats its answer for a while only.
      this.#unstored = session.pending && { pending: session.pending, outcome }
      return await this.#store(outcome)
    }
  }

  #renewalRequest(endpoint: string, session: Session): Request {
    const { pending, tokens, scope } = session
    if (pending === null || tokens.refreshToken === null) {
      return tokenRequests.logInAsClient(endpoint, this.#client, scope)
    }
    return tokenRequests.refresh(endpoint, this.#client, tokens.refreshToken, pending.idempotencyKey)
  }

  async #revoke({ accessToken, refreshToken }: Tokens): Promise<void> {
    const { revocationEndpoint } = await this.#discovered()
    if (revocationEndpoint === null) return // there is nobody to tell
    const request =
      refreshToken === null
        ? tokenRequests.revoke(revocationEndpoint, this.#client, accessToken, 'access_token')
        : tokenRequests.revoke(revocationEndpoint, this.#client, refreshToken, 'refresh_token')
    for (let attempt = 1; ; attempt += 1) {
      const judged = judgeRevocationAnswer(await this.#send(request))
      if (judged === null) return
      if (judged instanceof RefusedError) throw judged
      if (attempt === MAX_ATTEMPTS) throw new ServerUnavailableError('logged out here; the server could not be told')
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

  /** The access token that is known here, unless it has ended. */
  #goodToken(): string | null {
    if (this.#session === null || hasEnded(this.#session.tokens, this.#clock())) return null
    return this.#session.tokens.accessToken
  }

  /** Stored before it is used. */
  async #store(session: Session): Promise<Session> {
    await this.#storage.save(session)
    this.#unstored = null
    this.#keep(session)
    return session
  }

  /** The error of a storage that does not forget; here it is forgotten all the same. */
  async #forget(): Promise<unknown> {
    this.#unstored = null
    this.#keep(null)
    return this.#storage.save(null).then(
      () => null,
      (error: unknown) => error,
    )
  }

  /** A refresh that is under way is due at once: a server repeats its answer for a while only. */
  #keep(session: Session | null): void {
    this.#session = session
    this.#renewAt = session === null || session.pending !== null ? 0 : renewAt(session.tokens, Math.random())
  }
}

/** 244 random bits: whoever guesses one gets the answer of the refresh that it belongs to. */
function randomKey(): string {
  return crypto.randomUUID() + crypto.randomUUID()
}

function waited(seconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, seconds * 1000))
}
