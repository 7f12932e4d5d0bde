/** Where a session is kept. Whoever shares a storage shares the session. */

import type { Session } from './session.js'

/** What a storage does. It is only written under its lock, and before what is written is used. */
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
