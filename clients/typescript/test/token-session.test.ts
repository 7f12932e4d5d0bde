/** Sessions for apps: shared refreshes, repeated with their key; tokens stored first; only invalid_grant ends one. */

import assert from 'node:assert/strict'
import { beforeEach, test } from 'node:test'
import {
  LoginRequiredError,
  memoryStorage,
  RefusedError,
  ServerUnavailableError,
  type Session,
  type Storage,
  StorageUnusableError,
  TokenSession,
  UntrustedServerError,
} from '@jeton/client'
import { ISSUER, Server } from './server.js'
import { hurried } from './time.js'

const client = { clientId: 'app' }
let server: Server

beforeEach(() => {
  server = new Server()
})

function newSession(storage = memoryStorage(), fetch: typeof globalThis.fetch = server.fetch): TokenSession {
  return new TokenSession({ issuer: ISSUER, client, storage, fetch, clock: () => server.now })
}

async function loggedIn(storage = memoryStorage()): Promise<TokenSession> {
  const session = newSession(storage)
  await session.logIn('alice', 'correct')
  return session
}

test('a token that is not due is handed out without a request', async () => {
  const session = await loggedIn()
  const asked = server.asked.length

  assert.equal(await session.accessToken(), 'access-1-1')
  assert.equal(server.asked.length, asked)
})

test('a token is renewed ahead of its end', async () => {
  const session = await loggedIn()
  server.now += 600 - 59

  assert.equal(await session.accessToken(), 'access-1-2')
})

test('fifty tasks share one refresh', async () => {
  const session = await loggedIn()
  server.now += 600

  const tokens = await Promise.all(Array.from({ length: 50 }, () => session.accessToken()))

  assert.deepEqual(new Set(tokens), new Set(['access-1-2']))
  assert.equal(server.idempotencyKeys.length, 1)
})

test('fifty tasks whose token was rejected share one refresh, and so does who comes late', async () => {
  const session = await loggedIn()

  await Promise.all(Array.from({ length: 50 }, () => session.renew('access-1-1')))

  assert.equal(await session.renew('access-1-1'), 'access-1-2')
  assert.equal(server.idempotencyKeys.length, 1)
})

test('a token that is still good is handed out while one caller renews it', async () => {
  const session = await loggedIn()
  server.now += 600 - 59

  const [first, ...others] = [session.accessToken(), session.accessToken(), session.accessToken()]

  assert.deepEqual(await Promise.all(others), ['access-1-1', 'access-1-1'])
  assert.equal(await first, 'access-1-2')
})

for (const [what, fault] of [
  ['a lost answer', 'answer lost'],
  ['a request that never arrived', 'away'],
  ['a 500', new Response('', { status: 500 })],
  ['a 503', new Response('', { status: 503, headers: { 'retry-after': '1' } })],
  ['a 429', new Response('', { status: 429 })],
  ['a page of a proxy', new Response('<html>')],
] as const) {
  test(`after ${what} the refresh is repeated with the same key`, async () => {
    const session = await loggedIn()
    server.now += 600
    server.faults.set('/token', [fault])

    assert.equal(await hurried(() => session.accessToken()), 'access-1-2')
    assert.equal(new Set(server.idempotencyKeys).size, 1)
    assert.equal(server.reuses, 0)
  })
}

test('the key is stored before the request is sent', async () => {
  const storage = memoryStorage()
  const session = await loggedIn(storage)
  const stored: (Session | null)[] = []
  const watched = newSession(storage, async (...request) => {
    stored.push(await storage.load())
    return server.fetch(...request)
  })

  await watched.renew(await session.accessToken())

  assert.equal(stored.at(-1)?.pending?.idempotencyKey, server.idempotencyKeys[0])
})

test('whoever takes over repeats with the stored key', async () => {
  const storage = memoryStorage()
  const session = await loggedIn(storage)
  server.now += 600
  server.faults.set('/token', Array(6).fill('answer lost'))
  await assert.rejects(
    hurried(() => session.accessToken()),
    ServerUnavailableError,
  )

  assert.equal(await newSession(storage).accessToken(), 'access-1-2')
  assert.equal(new Set(server.idempotencyKeys).size, 1)
})

test('the lifetime of a repeated answer counts from its first request', async () => {
  const session = await loggedIn()
  server.now += 600
  server.faults.set('/token', Array(6).fill('answer lost'))
  await assert.rejects(
    hurried(() => session.accessToken()),
    ServerUnavailableError,
  )
  server.now += 100
  await session.accessToken()
  server.now += 500

  assert.equal(await session.accessToken(), 'access-1-3')
})

test('a refresh that was begun is finished at once, however good the token is', async () => {
  const storage = memoryStorage()
  const session = await loggedIn(storage)
  server.faults.set('/token', Array(6).fill('answer lost'))
  await assert.rejects(
    hurried(() => session.renew('access-1-1')),
    ServerUnavailableError,
  )

  assert.equal(await newSession(storage).accessToken(), 'access-1-2')
  assert.equal(await session.accessToken(), 'access-1-2')
  assert.equal(new Set(server.idempotencyKeys).size, 1)
})

test('new tokens are stored before the access token is handed out', async () => {
  const storage = memoryStorage()
  const session = await loggedIn(storage)
  server.now += 600
  const failing = { ...storage, save: () => Promise.reject(new Error('the disk is full')) }

  await assert.rejects(newSession(failing).accessToken(), StorageUnusableError)
  assert.equal(server.idempotencyKeys.length, 0)
  assert.equal(await session.accessToken(), 'access-1-2')
})

/** A memory storage that throws on demand: custom storages can throw anything. */
function failingStorage() {
  const memory = memoryStorage()
  const errors: { load?: unknown; save?: unknown; lock?: unknown; unlock?: unknown } = {}
  const fail = (what: keyof typeof errors) => (what in errors ? Promise.reject(errors[what]) : Promise.resolve())
  const storage: Storage = {
    load: () => fail('load').then(memory.load),
    save: (session) => fail('save').then(() => memory.save(session)),
    locked: async (work) => {
      await fail('lock')
      const done = await memory.locked(work)
      await fail('unlock')
      return done
    },
  }
  return { storage, errors, memory }
}

for (const what of ['load', 'save', 'lock'] as const) {
  for (const error of [
    new DOMException('', 'SecurityError'),
    new DOMException('', 'QuotaExceededError'),
    'text',
    null,
  ]) {
    test(`a storage whose ${what} throws ${error} is found out before the password is sent`, async () => {
      const { storage, errors } = failingStorage()
      errors[what] = error

      await assert.rejects(newSession(storage).logIn('alice', 'correct'), {
        name: 'StorageUnusableError',
        cause: error,
      })
      assert.equal(server.times('/token'), 0)
    })
  }

  test(`a good token is handed out although ${what} fails`, async () => {
    const { storage, errors } = failingStorage()
    const session = await loggedIn(storage)
    errors[what] = new DOMException('', 'InvalidStateError')
    server.now += 599 - 60

    assert.equal(await session.accessToken(), 'access-1-1')
  })
}

for (const kept of [{}, 'text', 7, { tokens: {}, grant: 'password', scope: null, pending: null }]) {
  test(`a storage that holds ${JSON.stringify(kept)} is unusable`, async () => {
    const storage = { ...memoryStorage(), load: async () => kept as Session }

    await assert.rejects(newSession(storage).accessToken(), StorageUnusableError)
  })
}

test('a lock that cannot be given back loses nothing', async () => {
  const { storage, errors } = failingStorage()
  errors.unlock = new DOMException('', 'AbortError')

  assert.equal(await (await loggedIn(storage)).accessToken(), 'access-1-1')
})

test('a lock that runs nothing is told', async () => {
  const storage = { ...memoryStorage(), locked: async () => undefined as never }

  await assert.rejects(newSession(storage).logIn('alice', 'correct'), StorageUnusableError)
})

test('an answer that could not be stored is stored later, and not asked for again', async () => {
  const { storage, errors, memory } = failingStorage()
  const session = newSession(storage, async (input, init) => {
    const answer = await server.fetch(input, init)
    if (server.idempotencyKeys.length > 0) errors.save = new DOMException('', 'QuotaExceededError')
    return answer
  })
  await session.logIn('alice', 'correct')
  server.now += 600
  await assert.rejects(session.accessToken(), StorageUnusableError)
  delete errors.save
  server.now += 200 // the server repeats a response only for a while

  assert.equal(await session.accessToken(), 'access-1-2')
  assert.equal((await memory.load())?.tokens.refreshToken, 'refresh-1-2')
  assert.equal(server.idempotencyKeys.length, 1)
})

test('logging out revokes although the storage does not forget', async () => {
  const { storage, errors } = failingStorage()
  const session = await loggedIn(storage)
  errors.save = new DOMException('', 'QuotaExceededError')

  await assert.rejects(session.logOut(), StorageUnusableError)
  assert.equal(server.times('/revoke'), 1)
})

test('only invalid_grant ends the session', async () => {
  const storage = memoryStorage()
  const session = await loggedIn(storage)
  server.now += 600
  server.end()

  await assert.rejects(session.accessToken(), LoginRequiredError)
  assert.equal(await storage.load(), null)
})

for (const [what, fault, error] of [
  ['invalid_client', () => Response.json({ error: 'invalid_client' }, { status: 401 }), RefusedError],
  ['a 404', () => new Response('', { status: 404 }), RefusedError],
  ['six 503', () => new Response('', { status: 503 }), ServerUnavailableError],
] as const) {
  test(`${what} does not end the session`, async () => {
    const session = await loggedIn()
    server.now += 600
    server.faults.set('/token', Array.from({ length: 6 }, fault))
    await assert.rejects(
      hurried(() => session.accessToken()),
      error,
    )
    server.faults.clear()

    assert.equal(await session.accessToken(), 'access-1-2')
  })
}

test('while the server is away a good token goes on being handed out, and is not asked for at each call', async () => {
  const session = await loggedIn()
  server.now += 600 - 59
  server.isAway = true

  assert.equal(await hurried(() => session.accessToken()), 'access-1-1')
  const asked = server.asked.length
  assert.equal(await session.accessToken(), 'access-1-1')
  assert.equal(server.asked.length, asked)
})

test('a wrong password is refused, and is no end of a session', async () => {
  await assert.rejects(newSession().logIn('alice', 'wrong'), { name: 'RefusedError', error: 'invalid_grant' })
})

test('without a login, a login is required', async () => {
  await assert.rejects(newSession().accessToken(), LoginRequiredError)
})

test('a client logs in again by itself', async () => {
  const session = new TokenSession({
    issuer: ISSUER,
    client: { clientId: 'nightly', secret: 's' },
    fetch: server.fetch,
    clock: () => server.now,
  })
  await session.logInAsClient({ scope: 'report' })
  server.now += 600

  assert.equal(await session.accessToken(), 'access-2-2')
})

test('who logs out is logged out also where the server is away', async () => {
  const session = await loggedIn()
  server.isAway = true

  await assert.rejects(
    hurried(() => session.logOut()),
    ServerUnavailableError,
  )
  await assert.rejects(session.accessToken(), LoginRequiredError)
})

test('logging out revokes the session', async () => {
  const session = await loggedIn()

  await session.logOut()

  assert.equal(server.times('/revoke'), 1)
})

test('an issuer whose answers could be changed on the way is refused at once', () => {
  assert.throws(() => new TokenSession({ issuer: 'http://as.example', client }), UntrustedServerError)
})

test('no secret shows where a session is printed', async () => {
  const { inspect } = await import('node:util')
  const session = await loggedIn()

  assert.doesNotMatch(inspect(session, { depth: 9, showHidden: true }), /access-|refresh-/)
})
