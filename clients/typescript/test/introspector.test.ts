/** Introspection: concurrent calls share one request; results are cached, never past `exp`. */

import assert from 'node:assert/strict'
import { beforeEach, test } from 'node:test'
import { Introspector, InvalidTokenError, VerificationUnavailableError, Verifier } from '@jeton/client'
import { AUDIENCE, ISSUER, Server } from './server.js'

const ACTIVE = { active: true, token_type: 'Bearer', aud: AUDIENCE, sub: 'u_1', client_id: 'app' }

let server: Server
let introspector: Introspector

beforeEach(() => {
  server = new Server()
  server.introspected = { ...ACTIVE, exp: server.now + 600 }
  const clocks = { clock: () => server.now, monotonic: () => server.now }
  const client = { clientId: 'api', secret: 's' }
  introspector = new Introspector({ issuer: ISSUER, client, audience: AUDIENCE, fetch: server.fetch, ...clocks })
})

test('a hundred requests with one token ask once', async () => {
  await Promise.all(Array.from({ length: 100 }, () => introspector.verify('token')))

  assert.equal(server.times('/introspect'), 1)
})

test('a good answer counts for five seconds', async () => {
  await introspector.verify('token')
  server.introspected = { active: false }
  server.now += 4
  await introspector.verify('token')
  server.now += 1

  await assert.rejects(introspector.verify('token'), InvalidTokenError)
})

test('a good answer never counts past the end of the token', async () => {
  server.introspected = { ...ACTIVE, exp: server.now + 2 }
  await introspector.verify('token')
  server.now += 2

  await assert.rejects(introspector.verify('token'), InvalidTokenError)
  assert.equal(server.times('/introspect'), 2)
})

for (const audience of [undefined, null, '', []] as unknown as string[]) {
  test(`the audience ${JSON.stringify(audience)} would match what names nobody, and is refused`, () => {
    assert.throws(() => new Introspector({ issuer: ISSUER, client: { clientId: 'api' }, audience }), TypeError)
    assert.throws(() => new Verifier({ issuer: ISSUER, audience }), TypeError)
  })
}

test('a bad answer is remembered too', async () => {
  server.introspected = { active: false }
  await assert.rejects(introspector.verify('token'), InvalidTokenError)
  server.now += 29
  await assert.rejects(introspector.verify('token'), InvalidTokenError)

  assert.equal(server.times('/introspect'), 1)
})

test('ten thousand bad tokens do not drive out a good one', async () => {
  await introspector.verify('good')
  server.introspected = { active: false }
  for (let number = 0; number < 10_000; number += 1) await introspector.verify(`bad ${number}`).catch(() => undefined)
  const asked = server.times('/introspect')

  await introspector.verify('good')

  assert.equal(server.times('/introspect'), asked)
})

test('where the server is away nobody can say, and that is not remembered', async () => {
  server.isAway = true
  await assert.rejects(introspector.verify('token'), VerificationUnavailableError)
  server.isAway = false

  assert.equal((await introspector.verify('token')).subject, 'u_1')
})
