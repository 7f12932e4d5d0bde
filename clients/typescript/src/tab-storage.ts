/** One session for all tabs and workers of an origin, through reloads. The access token stays in memory.
 *
 * The refresh token is kept in IndexedDB, where whoever comes next reads what was committed before: another process may
 * read localStorage late, and would present a spent refresh token. The lock is the browser's own (Web Locks); it is free
 * at once when its tab dies. Access tokens go from tab to tab by BroadcastChannel.
 */

import { ServerUnavailableError, StorageUnusableError } from './errors.js'
import { isSession, type Session } from './session.js'
import type { Storage } from './storage.js'
import { isNumber, isObject } from './strict-json.js'
import type { Tokens } from './token-answers.js'

const LOCK_MILLISECONDS = 120_000
const ANSWER_MILLISECONDS = 250
const STORE = 'sessions'

/** As it lies in IndexedDB: without the access token. `issue` counts logins, renewals and logouts, and only grows. */
interface Kept {
  readonly issue: number
  readonly session: Session | null
}

/** Between tabs: what the session is since this issue; or, without `session`, a question for that. */
interface Message {
  readonly issue: number
  readonly session?: Session | null
}

/** The storage that all pages and workers of this origin share which give the same `name`. Needs https, or localhost. */
export function tabStorage(name = 'jeton'): Storage {
  try {
    if (globalThis.navigator?.locks && globalThis.indexedDB) return new TabStorage(`jeton:${name}`)
  } catch (cause) {
    // Where cookies are blocked, and in sandboxed frames, already looking at one of them throws SecurityError.
    throw new StorageUnusableError('the browser lets this page keep nothing', { cause })
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
    const token = session?.tokens.accessToken
    const isNew = token !== '' && (this.#known.issue !== issue || token !== this.#known.session?.tokens.accessToken)
    const stored = session && { ...session, tokens: { ...session.tokens, ...accessTokenOf(null) } }
    await this.#write({ issue: isNew ? issue + 1 : issue, session: stored })
    if (token === '') return // nobody has this token: there is nothing to tell
    this.#known = { issue: isNew ? issue + 1 : issue, session }
    this.#tell(this.#known)
  }

  /** What is kept is kept: that other tabs cannot be told of it costs them a question, and nobody a token. */
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
      throw new ServerUnavailableError('somebody else has been renewing the session for too long')
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

  /** Waits a moment for a tab that has the tokens of this issue. If none has, they are simply renewed. */
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
    // What another version has left there is no session of ours.
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

  /** Browsers close databases as they like: when data is cleared, a disk is full, a page sleeps. Then it is opened again. */
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

/** What is not written down; of no session, a token that has ended. */
function accessTokenOf(session: Session | null): Pick<Tokens, 'accessToken' | 'receivedAt' | 'expiresAt'> {
  if (session === null) return { accessToken: '', receivedAt: 0, expiresAt: 0 }
  const { accessToken, receivedAt, expiresAt } = session.tokens
  return { accessToken, receivedAt, expiresAt }
}

async function opened(): Promise<IDBDatabase> {
  const request = indexedDB.open('jeton', 1)
  request.onupgradeneeded = () => request.result.createObjectStore(STORE)
  const database = await settled(request)
  // Whoever wants to delete the database need not wait for this page; the next transaction opens it again.
  database.onversionchange = () => database.close()
  return database
}

function settled<Value>(request: IDBRequest<Value>): Promise<Value> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(new StorageUnusableError(`the browser keeps nothing: ${request.error?.name}`))
  })
}
