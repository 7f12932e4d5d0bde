/** One session for all tabs and workers of an origin, through reloads. The access token stays in memory.
 *
 * The refresh token is kept in IndexedDB, where every reader sees the last commit. localStorage can be stale in another
 * process, which would then present a used refresh token. The lock is the browser's own (Web Locks), released when its tab
 * ends. Tabs send access tokens to each other by BroadcastChannel.
 */

import { ServerUnavailableError, StorageUnusableError } from './errors.js'
import { isSession, NO_TOKENS, type Session, wereReceived } from './session.js'
import type { Storage } from './storage.js'
import { isNumber, isObject } from './strict-json.js'
import type { Tokens } from './token-answers.js'

const LOCK_MILLISECONDS = 120_000
const ANSWER_MILLISECONDS = 250
const STORE = 'sessions'

/** The value in IndexedDB, without the access token. `issue` grows with each login, renewal and logout. */
interface Kept {
  readonly issue: number
  readonly session: Session | null
}

/** Message between tabs: the session as of this issue, or without `session` a request for it. */
interface Message {
  readonly issue: number
  readonly session?: Session | null
}

/** Return the storage that pages and workers of this origin share under this `name`. Requires https or localhost. */
export function tabStorage(name = 'jeton'): Storage {
  try {
    if (globalThis.navigator?.locks && globalThis.indexedDB) return new TabStorage(`jeton:${name}`)
  } catch (cause) {
    // If cookies are blocked, and in sandboxed frames, even reading one of these properties throws SecurityError.
    throw new StorageUnusableError('the browser allows this page no storage', { cause })
  }
  throw new StorageUnusableError(
    'tabs share a session by Web Locks and IndexedDB: serve the page by https, or from localhost',
  )
}

class TabStorage implements Storage {
  readonly #name: string
  readonly #channel: BroadcastChannel
  readonly #listeners: ((session: Session | null) => void)[] = []
  #known: Kept = { issue: 0, session: null }
  #database: Promise<IDBDatabase> | null = null

  constructor(name: string) {
    this.#name = name
    this.#channel = new BroadcastChannel(name)
    this.#channel.addEventListener('message', ({ data }: MessageEvent<unknown>) => {
      if (isMessage(data)) this.#hear(data)
    })
  }

  async load(): Promise<Session | null> {
    const { issue, session } = await this.#read()
    if (session === null) return null
    if (this.#known.issue !== issue) await this.#ask(issue)
    const known = this.#known.issue === issue ? this.#known.session : null
    return { ...session, tokens: { ...session.tokens, ...accessTokenOf(known) } }
  }

  async save(session: Session | null): Promise<void> {
    const { issue } = await this.#read()
    const stored = session && { ...session, tokens: { ...session.tokens, ...accessTokenOf(null) } }
    if (session !== null && !wereReceived(session.tokens)) {
      await this.#write({ issue, session: stored })
      return // no tab has these tokens
    }
    const isKnown = this.#known.issue === issue && areSame(session?.tokens, this.#known.session?.tokens)
    // Times, so that issues continue to grow after the stored one was cleared.
    const known = { issue: isKnown ? issue : Math.max(issue + 1, Date.now()), session }
    await this.#write({ issue: known.issue, session: stored })
    this.#known = known
    this.#tell(known)
  }

  /** Tell other tabs. An error is ignored: the session is stored, and the other tabs ask for it later. */
  #tell(message: Message): void {
    try {
      this.#channel.postMessage(message)
    } catch {
      // The channel is closed.
    }
  }

  async locked<Value>(work: () => Promise<Value>): Promise<Value> {
    const waiting = new AbortController()
    const timer = setTimeout(() => waiting.abort(), LOCK_MILLISECONDS)
    const begin = () => {
      clearTimeout(timer)
      return work()
    }
    try {
      return await navigator.locks.request(this.#name, { signal: waiting.signal }, begin)
    } catch (error) {
      if (!waiting.signal.aborted) throw error
      throw new ServerUnavailableError('another tab has locked the session for too long')
    }
  }

  follow(listener: (session: Session | null) => void): void {
    this.#listeners.push(listener)
  }

  #hear({ issue, session }: Message): void {
    if (session === undefined) {
      if (issue === this.#known.issue) this.#tell(this.#known)
    } else if (issue > this.#known.issue || (issue === this.#known.issue && session?.pending)) {
      this.#known = { issue, session }
      for (const listener of this.#listeners) listener(session)
    }
  }

  /** Wait briefly for a tab that has the tokens of this issue. If none has, they are renewed. */
  async #ask(issue: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const look = () => {
        if (this.#known.issue === issue) done()
      }
      const done = () => {
        clearTimeout(timer)
        this.#channel.removeEventListener('message', look)
        resolve()
      }
      const timer = setTimeout(done, ANSWER_MILLISECONDS)
      this.#channel.addEventListener('message', look)
      this.#tell({ issue })
    })
  }

  async #read(): Promise<Kept> {
    const transaction = await this.#transaction('readonly')
    const kept: unknown = await settled(transaction.objectStore(STORE).get(this.#name))
    // A value stored by another version is not a session of this one.
    return isKept(kept) ? kept : { issue: 0, session: null }
  }

  async #write(kept: Kept): Promise<void> {
    const transaction = await this.#transaction('readwrite')
    transaction.objectStore(STORE).put(kept, this.#name)
    await new Promise<void>((resolve, reject) => {
      transaction.oncomplete = () => resolve()
      transaction.onabort = () =>
        reject(new StorageUnusableError(`the session cannot be kept: ${transaction.error?.name}`))
    })
  }

  /** Browsers close databases at any time: when data is cleared, a disk is full, a page sleeps. Then open it again. */
  async #transaction(mode: IDBTransactionMode): Promise<IDBTransaction> {
    const begin = (database: IDBDatabase) => database.transaction(STORE, mode, { durability: 'strict' })
    const database = await this.#opened()
    try {
      return begin(database)
    } catch {
      this.#database = null
      database.close()
      return begin(await this.#opened())
    }
  }

  #opened(): Promise<IDBDatabase> {
    this.#database ??= opened().catch((error: unknown) => {
      this.#database = null
      throw error
    })
    return this.#database
  }
}

function isKept(value: unknown): value is Kept {
  return isObject(value) && isNumber(value.issue) && (value.session === null || isSession(value.session))
}

function isMessage(value: unknown): value is Message {
  return isObject(value) && isNumber(value.issue) && (value.session === undefined || isKept(value))
}

/** The part that is not stored; without a session, an expired token. */
function accessTokenOf(session: Session | null): Pick<Tokens, 'accessToken' | 'receivedAt' | 'expiresAt'> {
  const { accessToken, receivedAt, expiresAt } = session?.tokens ?? NO_TOKENS
  return { accessToken, receivedAt, expiresAt }
}

function areSame(tokens: Tokens | undefined, others: Tokens | undefined): boolean {
  return tokens?.accessToken === others?.accessToken && tokens?.receivedAt === others?.receivedAt
}

async function opened(): Promise<IDBDatabase> {
  const request = indexedDB.open('jeton', 1)
  request.onupgradeneeded = () => request.result.createObjectStore(STORE)
  const database = await settled(request)
  // Close it, so that the database can be deleted; the next transaction opens it again.
  database.onversionchange = () => database.close()
  return database
}

function settled<Value>(request: IDBRequest<Value>): Promise<Value> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result)
    request.onerror = () =>
      reject(new StorageUnusableError(`the browser cannot open its storage: ${request.error?.name}`))
  })
}
