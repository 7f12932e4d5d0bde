/** The session of an app, as it is stored and as it was last seen in memory. */

import { hasEnded, type PendingRefresh, renewAt, type Session, wereReceived } from './session.js'
import { CheckedStorage, type Storage } from './storage.js'

/** A session that is stored before it is used. Others may share its storage: it is changed under the lock only. */
export class CurrentSession {
  readonly #storage: CheckedStorage
  readonly #clock: () => number
  readonly #endListeners = new Set<() => void>()
  #session: Session | null = null
  #renewAt = 0
  /** A refresh and its outcome, kept until it is stored. */
  #unstored: { readonly pending: PendingRefresh; readonly outcome: Session } | null = null

  constructor(storage: Storage, clock: () => number) {
    this.#storage = new CheckedStorage(storage)
    this.#clock = clock
    this.#storage.follow((session) => this.#keep(session))
  }

  /** Return the access token in memory, or `null` if it has expired. */
  goodToken(): string | null {
    if (this.#session === null || hasEnded(this.#session.tokens, this.#clock())) return null
    return this.#session.tokens.accessToken
  }

  isDue(): boolean {
    return this.#clock() >= this.#renewAt
  }

  postponeRenewal(seconds: number): void {
    this.#renewAt = this.#clock() + seconds
  }

  /** Call the listener when the session has ended. Return a function that stops this. */
  onEnd(listener: () => void): () => void {
    const own = () => listener()
    this.#endListeners.add(own)
    return () => this.#endListeners.delete(own)
  }

  /** Run the work under the storage's lock. Its holder keeps it while waiting for the server. */
  locked<Value>(work: () => Promise<Value>): Promise<Value> {
    return this.#storage.locked(work)
  }

  /** Reject with StorageUnusableError unless a session can be kept. The lock must be held. */
  checkStorage(): Promise<void> {
    return this.#storage.check()
  }

  stored(): Promise<Session | null> {
    return this.#storage.load()
  }

  /** Return the stored session, or the outcome of its pending refresh if that could not be stored yet; else `implied`. */
  async load(implied: Session | null): Promise<Session | null> {
    const stored = await this.stored()
    const outcome = this.#newerThan(stored)
    const session = (outcome === null ? stored : await this.store(outcome)) ?? implied
    // Another task or tab has renewed it, or ended it.
    if (session === null || session.tokens.accessToken !== this.#session?.tokens.accessToken) this.#keep(session)
    return session
  }

  /** Store the session, then use it. */
  async store(session: Session): Promise<Session> {
    await this.#storage.save(session)
    this.#unstored = null
    this.#keep(session)
    return session
  }

  /** Store the outcome of a refresh. Keep it until then, because servers repeat a response only for a while. */
  storeOutcome(pending: PendingRefresh | null, outcome: Session): Promise<Session> {
    this.#unstored = pending && { pending, outcome }
    return this.store(outcome)
  }

  /** Delete the session. Resolve to its last state, and to the error of a storage that cannot load or delete it. */
  async end(): Promise<{ session: Session | null; failed: unknown }> {
    const known = this.#unstored?.outcome ?? this.#session
    const loaded = await this.stored().then(
      (stored) => ({ session: this.#newerThan(stored) ?? stored ?? known, failed: null }),
      (failed: unknown) => ({ session: known, failed }),
    )
    return { ...loaded, failed: (await this.delete()) ?? loaded.failed }
  }

  /** Delete the session. Return the error of a storage that cannot; memory is cleared in any case. */
  async delete(): Promise<unknown> {
    this.#unstored = null
    this.#keep(null)
    return this.#storage.save(null).then(
      () => null,
      (error: unknown) => error,
    )
  }

  /** Return the outcome of the stored session's refresh if it could not be stored yet, otherwise `null`. */
  #newerThan(stored: Session | null): Session | null {
    const { pending, outcome = null } = this.#unstored ?? {}
    return pending?.idempotencyKey === stored?.pending?.idempotencyKey ? outcome : null
  }

  /** Keep the session. A pending refresh is due immediately, because servers repeat responses only for a while. */
  #keep(session: Session | null): void {
    const ends = session === null && this.#session !== null && wereReceived(this.#session.tokens)
    this.#session = session
    this.#renewAt = session === null || session.pending !== null ? 0 : renewAt(session.tokens, Math.random())
    // In microtasks, because an error of a listener must stop neither the others nor a logout.
    if (ends) for (const listener of this.#endListeners) queueMicrotask(listener)
  }
}
