/** Storage of tabs, in browsers that close databases, have full disks or block storage. */

import assert from 'node:assert/strict'
import { afterEach, beforeEach, test } from 'node:test'
import { memoryStorage, type Session, StorageUnusableError, tabStorage } from '@jeton/client'

const SESSION: Session = {
  tokens: { accessToken: 'a1', receivedAt: 1, expiresAt: 601, refreshToken: 'r1', scope: null, idToken: null },
  grant: 'password',
  scope: null,
  pending: null,
}

/** The used part of IndexedDB. */
class FakeIndexedDb {
  readonly kept = new Map<string, unknown>()
  readonly databases: { isOpen: boolean; onversionchange?: () => void }[] = []
  openError: unknown = null
  writeError: DOMException | null = null

  open() {
    if (this.openError !== null) throw this.openError
    const database = {
      isOpen: true,
      close: () => {
        database.isOpen = false
      },
      transaction: () => {
        if (!database.isOpen) throw new DOMException('', 'InvalidStateError')
        const transaction = {
          error: this.writeError,
          oncomplete: () => {},
          onabort: () => {},
          objectStore: () => store,
        }
        const store = {
          get: (key: string) => succeeding(this.kept.get(key)),
          put: (value: unknown, key: string) => {
            if (this.writeError === null) this.kept.set(key, structuredClone(value))
            setImmediate(() => (this.writeError === null ? transaction.oncomplete() : transaction.onabort()))
          },
        }
        return transaction
      },
    }
    this.databases.push(database)
    return succeeding(database)
  }
}

function succeeding(result: unknown) {
  const request = { result, onsuccess: () => {} }
  setImmediate(() => request.onsuccess())
  return request
}

const names = ['navigator', 'indexedDB', 'BroadcastChannel'] as const
const real = names.map((name) => [name, Object.getOwnPropertyDescriptor(globalThis, name)] as const)
const memory = memoryStorage()
let browser: FakeIndexedDb
let channels: BroadcastChannel[]

function provide(name: (typeof names)[number], get: () => unknown): void {
  Object.defineProperty(globalThis, name, { configurable: true, get })
}

beforeEach(() => {
  browser = new FakeIndexedDb()
  channels = []
  const Channel = globalThis.BroadcastChannel
  provide('navigator', () => ({
    locks: { request: (_: string, __: unknown, work: () => Promise<unknown>) => memory.locked(work) },
  }))
  provide('indexedDB', () => browser)
  provide(
    'BroadcastChannel',
    () =>
      class extends Channel {
        constructor(name: string) {
          super(name)
          channels.push(this)
        }
      },
  )
})

afterEach(() => {
  for (const channel of channels) channel.close()
  for (const [name, descriptor] of real) {
    if (descriptor === undefined) Reflect.deleteProperty(globalThis, name)
    else Object.defineProperty(globalThis, name, descriptor)
  }
})

test('a closed database is opened again', async () => {
  const storage = tabStorage()
  await storage.save(SESSION)
  for (const database of browser.databases) database.isOpen = false

  assert.deepEqual(await storage.load(), SESSION)
  browser.databases.at(-1)?.onversionchange?.()
  await storage.save({ ...SESSION, scope: 'read' })
  assert.equal((await storage.load())?.scope, 'read')
  assert.equal(browser.databases.length, 3)
})

test('a full disk is reported, and leaves the stored session', async () => {
  const storage = tabStorage()
  await storage.save(SESSION)
  browser.writeError = new DOMException('', 'QuotaExceededError')

  await assert.rejects(storage.save({ ...SESSION, scope: 'read' }), StorageUnusableError)
  assert.deepEqual(await storage.load(), SESSION)
})

test('a closed channel loses no session', async () => {
  const storage = tabStorage()
  for (const channel of channels) channel.close()

  await storage.save(SESSION)

  assert.deepEqual(await storage.load(), SESSION)
})

for (const left of ['text', 7, {}, { issue: 1 }, { issue: 1, session: { tokens: {} } }]) {
  test(`a value of another version is not a session: ${JSON.stringify(left)}`, async () => {
    browser.kept.set('jeton:jeton', left)
    const storage = tabStorage()

    assert.equal(await storage.load(), null)
    await storage.save(SESSION)
    assert.deepEqual(await storage.load(), SESSION)
  })
}

test('tabs share a session without an access token, and its end', async () => {
  const [storage, other] = [tabStorage(), tabStorage()]
  const heard: (Session | null)[] = []
  other.follow?.((session) => heard.push(session))
  const session = { ...SESSION, tokens: { ...SESSION.tokens, accessToken: '', refreshToken: null } }

  await storage.save(session)
  assert.deepEqual(await other.load(), session)
  await storage.save(null)
  await other.load()
  await new Promise(setImmediate)

  assert.deepEqual(heard, [session, null])
})

test('a session that begins after the stored one was cleared is shared', async (t) => {
  const now = t.mock.method(Date, 'now', () => 1_800_000_000_000)
  const other = tabStorage()
  await other.save(SESSION)
  browser.kept.clear()
  now.mock.mockImplementation(() => 1_800_000_000_001)

  const session = { ...SESSION, tokens: { ...SESSION.tokens, accessToken: 'b1' } }
  await tabStorage().save(session)

  assert.deepEqual(await other.load(), session)
})

test('malformed messages are ignored', async () => {
  const storage = tabStorage()
  const heard: unknown[] = []
  storage.follow?.((session) => heard.push(session))
  const [channel] = channels
  for (const data of [null, 'text', {}, { issue: '9', session: null }, { issue: 9, session: {} }]) {
    channel?.dispatchEvent(new MessageEvent('message', { data }))
  }
  assert.deepEqual(heard, [])

  channel?.dispatchEvent(new MessageEvent('message', { data: { issue: 9, session: SESSION } }))

  assert.deepEqual(heard, [SESSION])
})

for (const name of names) {
  test(`a page that may not use ${name} gets an error at once`, () => {
    provide(name, () => {
      throw new DOMException('', 'SecurityError')
    })
    assert.throws(() => tabStorage(), StorageUnusableError)
  })
}

test('without Web Locks there is no storage for tabs', () => {
  provide('navigator', () => ({}))

  assert.throws(() => tabStorage(), StorageUnusableError)
})
