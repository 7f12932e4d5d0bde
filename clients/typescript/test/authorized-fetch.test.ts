/** Tokens are sent only to the listed origins; a 401 causes one renewal and one repetition. */

import assert from 'node:assert/strict'
import { beforeEach, test } from 'node:test'
import { authorizedFetch, LoginRequiredError, UntrustedServerError } from '@jeton/client'

const API = 'https://api.example'
let seen: { authorization: string | null; body: string }[]
let statuses: number[]
let renewed: string[]

const session = {
  accessToken: async () => 'first',
  renew: async (rejected: string) => {
    renewed.push(rejected)
    return 'second'
  },
}

async function api(input: string | URL | Request): Promise<Response> {
  const request = input as Request
  seen.push({ authorization: request.headers.get('authorization'), body: await request.text() })
  return new Response('', { status: statuses.shift() ?? 200 })
}

const call = authorizedFetch(session, { origins: [API], fetch: api })

beforeEach(() => {
  seen = []
  statuses = []
  renewed = []
})

test('the token is on the request', async () => {
  await call(`${API}/orders`)

  assert.deepEqual(seen, [{ authorization: 'Bearer first', body: '' }])
})

test('after a 401 the token is renewed, and the request repeated with its body', async () => {
  statuses = [401]

  const answer = await call(`${API}/orders`, { method: 'POST', body: 'apples' })

  assert.equal(answer.status, 200)
  assert.deepEqual(renewed, ['first'])
  assert.deepEqual(seen, [
    { authorization: 'Bearer first', body: 'apples' },
    { authorization: 'Bearer second', body: 'apples' },
  ])
})

test('a second 401 is the answer', async () => {
  statuses = [401, 401]

  assert.equal((await call(`${API}/orders`)).status, 401)
  assert.equal(seen.length, 2)
  assert.equal(renewed.length, 1)
})

test('a 403 is the answer', async () => {
  statuses = [403]

  assert.equal((await call(`${API}/orders`)).status, 403)
  assert.equal(seen.length, 1)
})

test('a body that is a stream is not sent twice', async () => {
  statuses = [401]
  const body = new Blob(['apples']).stream()

  const answer = await call(`${API}/orders`, { method: 'POST', body, duplex: 'half' } as RequestInit)

  assert.equal(answer.status, 401)
  assert.deepEqual(seen, [{ authorization: 'Bearer first', body: 'apples' }])
})

for (const url of [
  'https://api.example.evil/',
  'http://api.example/',
  'https://api.example:8443/',
  'https://evil.example/?https://api.example',
]) {
  test(`no token goes to ${url}`, async () => {
    await assert.rejects(call(url), TypeError)
    assert.deepEqual(seen, [])
  })
}

test('who must log in again hears so', async () => {
  const over = { ...session, accessToken: () => Promise.reject(new LoginRequiredError('over')) }

  await assert.rejects(authorizedFetch(over, { origins: [API], fetch: api })(`${API}/`), LoginRequiredError)
})

test('an origin that is not secure cannot be named', () => {
  assert.throws(() => authorizedFetch(session, { origins: ['http://api.example'] }), UntrustedServerError)
})
