/** Runner of scenario vectors: events in, requests and outcomes out (tests/vectors/README.md). */

import assert from 'node:assert/strict'
import { inspect } from 'node:util'
import {
  type AuthorizationRequest,
  authorizedFetch,
  IdTokenVerifier,
  Introspector,
  type PendingAuthorization,
  TokenSession,
  type Tokens,
  Verifier,
} from '@jeton/client'
import { codeChallenge } from '@jeton/client/authorization-request'
import { FailingStorage } from './failing-storage.js'
import { AUDIENCE, answerOf, camelCased, check, ISSUER, type Json, SERVER, START, TOKENS } from './vectors.js'

const CLIENT = { clientId: 'web', secret: 'the-secret' }
const SECRETS = /access-[12o]|refresh-[12]|the-password|the-secret|Basic |code-1/
const LOGIN = { call: 'log_in', with: ['alice', 'the-password', 'read'], requests: ['metadata', 'log in'] }
const setTimer = globalThis.setTimeout

/** An imaginary server, a clock, a storage, and the objects that use them. Each request must be the next listed. */
export class Scenario {
  readonly #storage = new FailingStorage()
  readonly #objects = new Map<string, Json>()
  readonly #failures: unknown[] = []
  readonly #keys = new Map<string, string | null>()
  readonly #options: Json
  #pending: PendingAuthorization | null = null
  #tokens: Tokens | null = null
  #now = START
  #pauses = 0
  #expected: Json[] = []

  constructor(options: Json = {}) {
    this.#options = camelCased(options)
  }

  async run({ logged_in: isLoggedIn = false, steps }: Json): Promise<void> {
    globalThis.setTimeout = this.#wait as unknown as typeof setTimeout
    try {
      for (const step of isLoggedIn ? [LOGIN, ...steps] : steps) await this.#step(step)
    } finally {
      globalThis.setTimeout = setTimer
    }
    assert.doesNotMatch(inspect([...this.#objects.values()], { depth: 9, showHidden: true }), SECRETS)
  }

  /** Let time pass, as `setTimeout` of the client. */
  readonly #wait = (done: () => void, milliseconds: number): void => {
    this.#pauses += 1
    this.#now += milliseconds / 1000
    setImmediate(done)
  }

  async #step(step: Json): Promise<void> {
    if (step.advance) this.#now += step.advance
    else if (step.storage_fails) {
      this.#storage.failing = new Map(step.storage_fails.map((name: string) => [name, new Error('full')]))
    } else if ('stored' in step) assert.deepEqual(await this.#stored(step.stored), step.stored)
    else await this.#call(step)
  }

  async #call(step: Json): Promise<void> {
    const { call, session = 'first', sessions = [session], times = 1, requests = [] } = step
    const [before, pauses] = [this.#expected, this.#pauses]
    this.#expected = requests.flatMap(listed)
    const values = (step.with ?? []).map((value: Json) => TOKENS[value] ?? value)
    const names: string[] = Array(times).fill(sessions).flat()
    const outcomes = await Promise.allSettled(names.map((name) => this.#invoke(call, name, values)))
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') assert.doesNotMatch(inspect(outcome.reason), SECRETS)
      check(step, outcome)
    }
    assert.deepEqual(this.#failures, [])
    assert.deepEqual(this.#expected, [], 'not requested')
    if (step.pauses !== undefined) assert.equal(this.#pauses - pauses, step.pauses)
    this.#expected = before
  }

  async #invoke(call: string, name: string, values: Json[]): Promise<Json> {
    const [first, second, third] = values
    if (call === 'verify') return this.#object(name, (options) => new Verifier(options)).verify(first)
    if (call === 'introspect') return this.#object(name, (options) => new Introspector(options)).verify(first)
    if (call.startsWith('verify_')) return (await this.#verifyAs(call, first)).subject
    const session = this.#object(name, (options) => new TokenSession(options))
    if (call === 'log_in') return session.logIn(first, second, { scope: third })
    if (call === 'log_in_as_client') return session.logInAsClient({ scope: first })
    if (call === 'start_authorization') return this.#started(await session.startAuthorization(asked(first, second)))
    if (call === 'start_logout') return this.#started(await session.startLogout(first))
    if (call === 'finish_authorization') {
      assert.ok(this.#pending)
      const pending = { ...this.#pending, issuer: second ?? ISSUER }
      this.#tokens = await session.finishAuthorization(pending, `${first}&state=${pending.state}`)
      return undefined
    }
    if (call === 'access_token') return session.accessToken()
    if (call === 'renew') return session.renew(first)
    if (call === 'log_out') return session.logOut()
    const send = authorizedFetch(session, { origins: [AUDIENCE], fetch: this.#fetch })
    return (await send(second, { method: first, body: third })).status
  }

  /** Keep what was started, and return its URL without random values. */
  async #started({ url, pending }: { url: string; pending?: PendingAuthorization }): Promise<string> {
    if (pending !== undefined) {
      this.#pending = pending
      const challenge = await codeChallenge(pending.codeVerifier)
      assert.ok(url.includes(`&state=${pending.state}&code_challenge=${challenge}&`))
    }
    return url.replace(/&(state|code_challenge)=[^&]{43,}?(?=&|$)/g, '').replace(TOKENS['id token'], 'id token')
  }

  /** Verify the ID token of the last login, whose nonce is not the random one, or a logout token. */
  #verifyAs(call: string, text: string): Promise<{ subject: string | null }> {
    const verifier = this.#object('ID tokens', (options) => new IdTokenVerifier({ ...options, clientId: 'web' }))
    if (call === 'verify_logout_token') return verifier.verifyLogoutToken(text)
    assert.ok(this.#tokens && this.#pending)
    return verifier.verify(this.#tokens, { ...this.#pending, nonce: 'the-nonce' })
  }

  #object<Kind>(name: string, make: (options: Json) => Kind): Kind {
    const clocks = { clock: () => this.#now, monotonic: () => this.#now }
    const options = { issuer: ISSUER, client: CLIENT, audience: AUDIENCE, fetch: this.#fetch, ...clocks }
    if (!this.#objects.has(name)) {
      this.#objects.set(name, make({ ...options, storage: this.#storage, ...this.#options }))
    }
    return this.#objects.get(name)
  }

  readonly #fetch = async (input: string | URL | Request, init: RequestInit = {}): Promise<Response> => {
    const request = new Request(input, init)
    let entry: Json
    try {
      entry = await this.#next(request)
      for (const step of entry.meanwhile ?? []) await this.#step(step)
    } catch (error) {
      this.#failures.push(error) // kept, because a client takes any error for a lost response
      throw error
    }
    const answer = answerOf(SERVER.answers[entry.answer ?? SERVER.requests[entry.request].answer])
    if (answer === null) throw new TypeError('lost')
    return new Response(answer.body || null, answer)
  }

  async #next(request: Request): Promise<Json> {
    const text = await request.text()
    const isForm = request.headers.get('content-type') === 'application/x-www-form-urlencoded'
    const { method, url } = request
    const form = isForm ? Object.fromEntries(new URLSearchParams(text)) : {}
    if (this.#pending !== null && form.code_verifier === this.#pending.codeVerifier) form.code_verifier = 'the verifier'
    const seen = { method, url, form, body: isForm ? '' : text, headers: Object.fromEntries(request.headers) }
    const entry = this.#expected.shift()
    assert.ok(entry && matches(SERVER.requests[entry.request], seen), inspect({ seen, entry }))
    if (url.endsWith('/token')) await this.#checkTokenRequest(form, request.headers.get('idempotency-key'))
    return entry
  }

  /** Check what holds for each token request: the lock, and the stored key, one for each refresh token or code. */
  async #checkTokenRequest({ refresh_token: presented, code }: Json, key: string | null): Promise<void> {
    assert.ok(this.#storage.isLocked)
    if (code !== undefined) return assert.equal(key, this.#pending?.idempotencyKey)
    assert.equal(presented === undefined, key === null)
    if (presented === undefined) return
    assert.ok(key !== null && key.length >= 32)
    if (!this.#keys.has(presented)) this.#keys.set(presented, key)
    assert.equal(this.#keys.get(presented), key)
    assert.equal(new Set(this.#keys.values()).size, this.#keys.size)
    const { pending, tokens } = (await this.#storage.kept()) ?? {}
    assert.deepEqual([pending?.idempotencyKey, tokens?.refreshToken], [key, presented])
  }

  async #stored(names: Json): Promise<Json> {
    const kept = await this.#storage.kept()
    if (kept === null) return null
    const { accessToken: access_token, refreshToken: refresh_token, expiresAt } = kept.tokens
    const expires_at = expiresAt && expiresAt - START
    const facts = { access_token, refresh_token, expires_at, scope: kept.scope, pending: kept.pending !== null }
    return Object.fromEntries(Object.entries(facts).filter(([name]) => names === null || name in names))
  }
}

function asked(redirectUri: string, scope: string): AuthorizationRequest {
  return { redirectUri, scope }
}

function listed(entry: Json): Json[] {
  return typeof entry === 'string' ? [{ request: entry }] : Array(entry.times ?? 1).fill(entry)
}

function matches({ method, url, form = {}, body = '', headers = {} }: Json, seen: Json): boolean {
  const compared = {
    ...seen,
    headers: Object.fromEntries(Object.keys(headers).map((name) => [name, seen.headers[name]])),
  }
  try {
    assert.deepEqual(compared, { method, url, form, body, headers })
    return true
  } catch {
    return false
  }
}
