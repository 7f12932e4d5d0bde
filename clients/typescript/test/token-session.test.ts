/** Sessions, beyond the scenarios: jitter, storages of other programs, requests that get no token. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  authorizedFetch,
  memoryStorage,
  ServerUnavailableError,
  type Session,
  TokenSession,
  UntrustedServerError,
} from '@jeton/client'
import { FailingStorage } from './failing-storage.js'
import { AUDIENCE, ISSUER, SERVER } from './vectors.js'

const { answers } = SERVER
const client = { clientId: 'web' }
const NOW = 1_800_000_000

/** Return a storage with a session that was renewed ten minutes ago. */
async function storageOf(expiresAt = NOW): Promise<FailingStorage> {
  const tokens = {
    accessToken: 'access-1',
    receivedAt: NOW - 600,
    expiresAt,
    refreshToken: 'refresh-1',
    scope: null,
    idToken: null,
  }
  const storage = new FailingStorage()
  await storage.save({ tokens, grant: 'password', scope: null, pending: null })
  return storage
}

/** Return a session at a server that issues tokens to every request. */
function newSession(storage = memoryStorage()): TokenSession {
  const fetch = async (_: unknown, { method }: RequestInit = {}) =>
    Response.json(answers[method === 'GET' ? 'metadata' : 'tokens 2'].body)
  return new TokenSession({ issuer: ISSUER, client, storage, fetch, clock: () => NOW })
}

test('renewals of many sessions are spread', async () => {
  let renewed = 0
  for (let number = 0; number < 100; number += 1) {
    if ((await newSession(await storageOf(NOW + 90)).accessToken()) === 'access-2') renewed += 1
  }

  assert.ok(renewed > 10 && renewed < 90)
})

for (const method of ['load', 'save', 'lock']) {
  for (const cause of [
    new DOMException('', 'SecurityError'),
    new DOMException('', 'QuotaExceededError'),
    'text',
    null,
  ]) {
    test(`a storage is unusable if ${method} throws ${cause}`, async () => {
      const storage = await storageOf()
      storage.failing.set(method, cause)

      await assert.rejects(newSession(storage).accessToken(), { name: 'StorageUnusableError', cause })
    })
  }
}

for (const kept of [{}, 'text', 7, { tokens: {}, grant: 'password', scope: null, pending: null }]) {
  test(`a storage is unusable if it contains ${JSON.stringify(kept)}`, async () => {
    const storage = { ...memoryStorage(), load: async () => kept as Session }

    await assert.rejects(newSession(storage).accessToken(), { name: 'StorageUnusableError' })
  })
}

test('a storage is unusable if it does not run the work under its lock', async () => {
  const storage = { ...memoryStorage(), locked: async () => undefined as never }

  await assert.rejects(newSession(storage).accessToken(), { name: 'StorageUnusableError' })
})

test('a listener that throws does not stop a logout', async (t) => {
  const errors: unknown[] = []
  t.mock.method(globalThis, 'queueMicrotask', (work: () => void) => {
    try {
      work()
    } catch (error) {
      errors.push(error)
    }
  })
  const storage = await storageOf(NOW + 600)
  const session = newSession(storage)
  const heard: string[] = []
  session.onEnd(() => {
    throw new Error('cannot be shown')
  })
  session.onEnd(() => heard.push('ended'))
  await session.accessToken()

  await session.logOut()

  assert.equal(await storage.kept(), null)
  assert.deepEqual([heard, errors.length], [['ended'], 1])
})

for (const issuer of ['http://as.example', 'as.example', 'https://as.example?x']) {
  test(`the issuer ${issuer} is refused at once`, () => {
    assert.throws(() => new TokenSession({ issuer, client }), UntrustedServerError)
  })
}

/** Return a `fetch` for AUDIENCE, and the bodies of the requests that a service received, which it answers with 401. */
async function service(): Promise<{ call: typeof fetch; received: string[] }> {
  const received: string[] = []
  const answer = async (request: string | URL | Request) => {
    received.push(await (request as Request).text())
    return new Response('', { status: 401 })
  }
  return {
    call: authorizedFetch(newSession(await storageOf(NOW + 600)), { origins: [AUDIENCE], fetch: answer }),
    received,
  }
}

for (const url of [
  'https://api.example.evil/',
  'http://api.example/',
  'https://api.example:8443/',
  'https://evil.example/?https://api.example',
]) {
  test(`no token is sent to ${url}`, async () => {
    const { call, received } = await service()

    await assert.rejects(call(url), TypeError)
    assert.deepEqual(received, [])
  })
}

test('a body that is a stream is sent once', async () => {
  const { call, received } = await service()
  const body = new Blob(['apples']).stream()

  assert.equal((await call(AUDIENCE, { method: 'POST', body, duplex: 'half' } as RequestInit)).status, 401)
  assert.deepEqual(received, ['apples'])
})

test('a refused response is not left open if the token cannot be renewed', async () => {
  let isOpen = true
  const body = new ReadableStream({
    cancel: () => {
      isOpen = false
    },
  })
  const session = {
    accessToken: async () => 'access-1',
    renew: async () => {
      throw new ServerUnavailableError('lost')
    },
  }
  const call = authorizedFetch(session, { origins: [AUDIENCE], fetch: async () => new Response(body, { status: 401 }) })

  await assert.rejects(call(AUDIENCE), { name: 'ServerUnavailableError' })
  assert.equal(isOpen, false)
})

test('an origin that is not secure cannot be listed', () => {
  assert.throws(() => authorizedFetch(newSession(), { origins: ['http://api.example'] }), UntrustedServerError)
})
