/** Session storage. All users of one storage share the session. */

import { ClientError, StorageUnusableError } from './errors.js'
import { isSession, NO_TOKENS, type Session } from './session.js'

/** Interface of a storage. It is written only under its lock, and before the session is used.
 *
 * Methods may throw any error; the session converts it to StorageUnusableError.
 */
export interface Storage {
  load(): Promise<Session | null>

  /** Store the session, durably before resolving; `null` deletes it. */
  save(session: Session | null): Promise<void>

  /** Run the work under the storage's lock. */
  locked<Value>(work: () => Promise<Value>): Promise<Value>

  /** Call the listener with sessions saved by others, if the storage can detect that. */
  follow?(listener: (session: Session | null) => void): void
}

/** Storage in memory, for the life of the process or page. */
export function memoryStorage(): Storage {
  let kept: Session | null = null
  let last: Promise<unknown> = Promise.resolve()
  return {
    load: async () => kept,
    save: async (session) => {
      kept = session
    },
    locked: (work) => {
      const mine = last.then(work)
      last = mine.catch(() => undefined)
      return mine
    },
  }
}

/** Wrapper of any storage that converts its errors to StorageUnusableError. */
export class CheckedStorage {
  readonly #storage: Storage

  constructor(storage: Storage) {
    this.#storage = storage
  }

  async load(): Promise<Session | null> {
    const session: unknown = await convertingErrors('loaded from', () => this.#storage.load())
    if (session === null || session === undefined) return null
    if (!isSession(session)) throw new StorageUnusableError('the storage does not contain a session')
    return session
  }

  save(session: Session | null): Promise<void> {
    return convertingErrors('saved to', () => this.#storage.save(session))
  }

  /** Return or throw the result of the work. A lock that cannot be released afterwards fails the next acquisition. */
  async locked<Value>(work: () => Promise<Value>): Promise<Value> {
    let begun: Promise<Value> | null = null
    const begin = () => {
      begun = work()
      return begun.then(ignore, ignore)
    }
    const lock = convertingErrors('locked in', () => this.#storage.locked(begin))
    await lock.catch((error: unknown) => {
      if (begun === null) throw error
    })
    if (begun === null) throw new StorageUnusableError('the storage did not run the work under its lock')
    return begun
  }

  /** Throw StorageUnusableError unless a session can be kept, before a password is sent. The lock must be held. */
  async check(): Promise<void> {
    const kept = await this.load()
    await this.save(kept ?? ENDED)
    if (kept === null) await this.save(null)
  }

  follow(listener: (session: Session | null) => void): void {
    this.#storage.follow?.(listener)
  }
}

/** If it remains stored, it requires a login. */
const ENDED: Session = { tokens: NO_TOKENS, grant: 'password', scope: null, pending: null }

function ignore(): void {}

async function convertingErrors<Value>(what: string, work: () => Promise<Value>): Promise<Value> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof ClientError) throw error
    const name = error instanceof Error ? error.name : typeof error
    throw new StorageUnusableError(`the session cannot be ${what} the storage: ${name}`, { cause: error })
  }
}
