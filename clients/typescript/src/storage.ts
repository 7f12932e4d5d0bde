/** Where a session is kept. Whoever shares a storage shares the session. */

import { ClientError, StorageUnusableError } from './errors.js'
import { isSession, type Session } from './session.js'

/** What a storage does. It is only written under its lock, and before what is written is used.
 *
 * Where it cannot it throws StorageUnusableError, or anything else: the session makes StorageUnusableError of it.
 */
export interface Storage {
  load(): Promise<Session | null>

  /** Resolves once it is kept; `null` forgets what was. */
  save(session: Session | null): Promise<void>

  /** Does the work while nobody else who shares this storage does any. */
  locked<Value>(work: () => Promise<Value>): Promise<Value>

  /** Calls the listener with what somebody else has saved, where a storage can know that. */
  follow?(listener: (session: Session | null) => void): void
}

/** Kept for as long as the process, or the page, lives. */
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

/** Any storage, whoever wrote it: what it throws comes as StorageUnusableError. */
export class CheckedStorage {
  readonly #storage: Storage

  constructor(storage: Storage) {
    this.#storage = storage
  }

  async load(): Promise<Session | null> {
    const session: unknown = await told('loaded from', () => this.#storage.load())
    if (session === null || session === undefined) return null
    if (!isSession(session)) throw new StorageUnusableError('the storage holds something that is no session')
    return session
  }

  save(session: Session | null): Promise<void> {
    return told('saved to', () => this.#storage.save(session))
  }

  /** What the work returns or throws. A lock that cannot be given back afterwards is told to whoever wants it next. */
  async locked<Value>(work: () => Promise<Value>): Promise<Value> {
    let begun: Promise<Value> | null = null
    const begin = () => {
      begun = work()
      return begun.then(ignore, ignore)
    }
    const lock = told('locked in', () => this.#storage.locked(begin))
    await lock.catch((error: unknown) => {
      if (begun === null) throw error
    })
    if (begun === null) throw new StorageUnusableError('the storage did not run what was to be done under its lock')
    return begun
  }

  /** Throws StorageUnusableError unless a session can be kept, before a password is sent. The lock must be held. */
  async check(): Promise<void> {
    const kept = await this.load()
    await this.save(kept ?? ENDED)
    if (kept === null) await this.save(null)
  }

  follow(listener: (session: Session | null) => void): void {
    this.#storage.follow?.(listener)
  }
}

/** Should it be left there, it asks for a login. */
const ENDED: Session = {
  tokens: { accessToken: '', receivedAt: 0, expiresAt: 0, refreshToken: null, scope: null },
  grant: 'password',
  scope: null,
  pending: null,
}

function ignore(): void {}

async function told<Value>(what: string, work: () => Promise<Value>): Promise<Value> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof ClientError) throw error
    const name = error instanceof Error ? error.name : typeof error
    throw new StorageUnusableError(`the session cannot be ${what} the storage: ${name}`, { cause: error })
  }
}
