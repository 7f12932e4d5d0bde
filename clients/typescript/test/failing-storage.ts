/** A storage in memory that fails on demand: custom storages can throw anything. */

import { memoryStorage, type Session, type Storage } from '@jeton/client'

export class FailingStorage implements Storage {
  /** What each failing method throws: `load`, `save`, `lock` or `unlock`. */
  failing = new Map<string, unknown>()
  isLocked = false
  readonly #memory = memoryStorage()

  /** Return the stored session, even while `load` fails. */
  kept(): Promise<Session | null> {
    return this.#memory.load()
  }

  async load(): Promise<Session | null> {
    this.#check('load')
    return this.#memory.load()
  }

  async save(session: Session | null): Promise<void> {
    this.#check('save')
    return this.#memory.save(session)
  }

  async locked<Value>(work: () => Promise<Value>): Promise<Value> {
    this.#check('lock')
    const done = await this.#memory.locked(async () => {
      this.isLocked = true
      return work().finally(() => {
        this.isLocked = false
      })
    })
    this.#check('unlock')
    return done
  }

  #check(method: string): void {
    if (this.failing.has(method)) throw this.failing.get(method)
  }
}
