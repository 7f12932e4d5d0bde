/** Keys and status lists: fetches are shared, repeated in time, and bridged while the server is unavailable. */

import assert from 'node:assert/strict'
import { before, beforeEach, test } from 'node:test'
import { InvalidTokenError, VerificationUnavailableError, Verifier, type VerifierOptions } from '@jeton/client'
import { AUDIENCE, ISSUER, Server, statusClaim } from './server.js'

const keys: Server['keys'] = []
let server: Server
let verifier: Verifier

before(async () => {
  const maker = new Server()
  await maker.addKey('one')
  await maker.addKey('two')
  keys.push(...maker.keys.reverse())
})

beforeEach(() => {
  server = new Server()
  server.keys = keys.slice(0, 1)
  verifier = newVerifier()
})

function newVerifier(options: Partial<VerifierOptions> = {}): Verifier {
  const clocks = { clock: () => server.now, monotonic: () => server.now }
  return new Verifier({ issuer: ISSUER, audience: AUDIENCE, fetch: server.fetch, ...clocks, ...options })
}

function rejected(reason: string): (error: unknown) => boolean {
  return (error) => error instanceof InvalidTokenError && error.reason === reason
}

test('a good token says who may do what', async () => {
  const token = await verifier.verify(await server.accessToken({ roles: ['clerk'] }))

  assert.deepEqual([token.subject, token.clientId, [...token.scope], token.roles], ['u_1', 'app', ['read'], ['clerk']])
})

test('a hundred requests at the start fetch the keys once', async () => {
  const tokens = await Promise.all(Array.from({ length: 100 }, () => server.accessToken()))

  await Promise.all(tokens.map((token) => verifier.verify(token)))

  assert.equal(server.times('/jwks'), 1)
})

test('a new key is fetched once for all that name it', async () => {
  await verifier.verify(await server.accessToken())
  server.now += 10
  server.keys = [...keys].reverse()
  const tokens = await Promise.all(Array.from({ length: 100 }, () => server.accessToken()))

  await Promise.all(tokens.map((token) => verifier.verify(token)))

  assert.equal(server.times('/jwks'), 2)
})

test('keys that nobody published are asked for once per cool-down', async () => {
  const good = await server.accessToken()
  await verifier.verify(good)
  server.now += 10
  const forger = new Server()
  forger.keys = keys.slice(1)
  for (let times = 0; times < 20; times += 1) {
    await assert.rejects(verifier.verify(await forger.accessToken()), rejected('unknown_key'))
  }

  assert.equal(server.times('/jwks'), 2)
})

test('keys are kept while the server is away, for an hour beyond their max-age of five minutes', async () => {
  await verifier.verify(await server.accessToken())
  const later = await server.accessToken({ exp: server.now + 90_000 })
  server.isAway = true
  server.now += 3_899
  assert.equal((await verifier.verify(later)).subject, 'u_1')
  server.now += 1

  await assert.rejects(verifier.verify(later), VerificationUnavailableError)
  server.isAway = false
  server.now += 1
  assert.equal((await verifier.verify(later)).subject, 'u_1')
})

test('a key that nobody could be asked for is no fault of the token', async () => {
  await verifier.verify(await server.accessToken())
  server.isAway = true
  server.now += 10
  server.keys = keys.slice(1)

  await assert.rejects(verifier.verify(await server.accessToken()), VerificationUnavailableError)
})

test('without keys nobody can say', async () => {
  server.isAway = true

  await assert.rejects(verifier.verify(await server.accessToken()), VerificationUnavailableError)
})

test('a key that is no longer published ends what it signed, also what was verified before', async () => {
  const token = await server.accessToken({ exp: server.now + 900 })
  await verifier.verify(token)
  server.keys = keys.slice(1)
  server.now += 301
  await verifier.verify(token).catch(() => undefined)

  await assert.rejects(verifier.verify(token), rejected('unknown_key'))
})

for (const maxCacheEntries of [0, 10]) {
  test(`a token is refused from its end on, with ${maxCacheEntries} remembered`, async () => {
    verifier = newVerifier({ maxCacheEntries })
    const token = await server.accessToken()
    server.now += 599
    await verifier.verify(token)
    server.now += 1

    await assert.rejects(verifier.verify(token), rejected('exp'))
  })
}

for (const maxCacheEntries of [0, 10]) {
  test(`an ended session is noticed within the list's ttl, with ${maxCacheEntries} remembered`, async () => {
    verifier = newVerifier({ maxCacheEntries })
    const [ended, other] = [await server.accessToken(statusClaim(7)), await server.accessToken(statusClaim(8))]
    await verifier.verify(ended)
    server.ended.add(7)
    server.now += 2

    await assert.rejects(verifier.verify(ended), rejected('ended'))
    await verifier.verify(other)
  })
}

test('a list is fetched once per ttl, however many requests there are', async () => {
  const token = await server.accessToken(statusClaim(7))
  for (let second = 0; second < 10; second += 1) {
    await Promise.all(Array.from({ length: 100 }, () => verifier.verify(token)))
    server.now += 1
  }

  assert.equal(server.times('/status/0'), 5)
})

for (const onUnavailable of ['refuse', 'accept'] as const) {
  test(`while the list is away the last one counts for a while; then: ${onUnavailable}`, async () => {
    verifier = newVerifier({ status: { maxStaleSeconds: 30, onUnavailable } })
    const token = await server.accessToken(statusClaim(7))
    await verifier.verify(token)
    server.isAway = true
    server.now += 31
    await verifier.verify(token)
    server.now += 1

    const late = verifier.verify(token)

    await (onUnavailable === 'accept' ? late : assert.rejects(late, VerificationUnavailableError))
  })
}

test('a session that is known to have ended stays so while the list is away', async () => {
  const token = await server.accessToken(statusClaim(7))
  server.ended.add(7)
  await assert.rejects(verifier.verify(token), rejected('ended'))
  server.isAway = true
  server.now += 10

  await assert.rejects(verifier.verify(token), rejected('ended'))
})

test('no token leads elsewhere than to its own issuer', async () => {
  const status = { status_list: { idx: 1, uri: 'https://elsewhere.example/status/0' } }

  await assert.rejects(verifier.verify(await server.accessToken({ status })), rejected('status'))
  assert.equal(server.times('/status/0'), 0)
})

test('who follows no lists asks for none', async () => {
  verifier = newVerifier({ status: null })

  await verifier.verify(await server.accessToken(statusClaim(7)))

  assert.equal(server.times('/status/0'), 0)
})

for (const algorithm of ['HS256', 'none', 'RS1']) {
  test(`${algorithm} cannot be allowed`, () => {
    assert.throws(() => newVerifier({ algorithms: [algorithm] }), TypeError)
  })
}
