/** Express and Hono: which requests are admitted, and how the others are answered (RFC 6750). */

import assert from 'node:assert/strict'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import {
  AccessToken,
  accessTokenOf,
  admit,
  type BearerOptions,
  bearer,
  honoBearer,
  InvalidTokenError,
  VerificationUnavailableError,
} from '@jeton/client'
import express from 'express'
import { Hono } from 'hono'
import { read } from './vectors.js'

/** Accepts `good` and, bound to a key, `bound`; cannot verify `away`, and fails on `broken`. */
const verifier = {
  async verify(token: string): Promise<AccessToken> {
    if (token === 'away') throw new VerificationUnavailableError('no keys', 2.5)
    if (token === 'broken') throw new RangeError('a mistake in the service')
    if (token !== 'good' && token !== 'bound') throw new InvalidTokenError('signature')
    const facts = { subject: 'u_1', clientId: 'app', expiresAt: 2e9, roles: [], status: null }
    return new AccessToken({ ...facts, scope: new Set(['read']), claims: token === 'bound' ? { cnf: {} } : {} })
  },
}

type Headers = [string, string][]
/** Send a request to a handler that requires a token with these options, or to one without the middleware. */
type Call = (options: BearerOptions | null, query: string, headers: Headers) => Promise<Response>

const callExpress: Call = async (options, query, headers) => {
  const app = express().set('env', 'test')
  if (options !== null) app.use(bearer(verifier, options))
  app.get('/', (request, response) => {
    response.json({ sub: accessTokenOf(request).subject })
  })
  const server = app.listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  return fetch(`http://127.0.0.1:${port}/${query}`, { headers: [...headers, ['connection', 'close']] }).finally(() =>
    server.close(),
  )
}

const callHono: Call = async (options, query, headers) => {
  const app = new Hono()
  if (options !== null) app.use(honoBearer(verifier, options))
  app.get('/', (c) => c.json({ sub: accessTokenOf(c.req.raw).subject }))
  app.onError((_, c) => c.text('broken', 500))
  return app.request(`/${query}`, { headers })
}

for (const [framework, call] of [
  ['Express', callExpress],
  ['Hono', callHono],
] as const) {
  for (const { name, given, expect } of read('middleware')) {
    test(`${framework}: ${name}`, async () => {
      const reported: Error[] = []
      const options = { scope: given.scope ?? [], report: (why: Error) => reported.push(why) }
      const headers = given.authorization.map((value: string) => ['authorization', value])

      const answer = await call(options, given.query ?? '', headers)
      const text = await answer.text()

      assert.equal(answer.status, expect.status)
      assert.deepEqual(JSON.parse(text), expect.error === undefined ? { sub: 'u_1' } : { error: expect.error })
      assert.equal(answer.headers.get('www-authenticate'), expect.challenge ?? null)
      assert.equal(answer.headers.get('retry-after'), expect.retry_after ?? null)
      if (expect.error !== undefined) assert.equal(answer.headers.get('cache-control'), 'no-store')
      assert.deepEqual(
        reported.map((why) => why.name),
        expect.reported === undefined ? [] : [expect.reported],
      )
      assert.ok(!reported.some((why) => text.includes(why.message)))
    })
  }

  test(`${framework}: an error of the service, or a handler without the middleware, is a 500`, async () => {
    assert.equal((await call({}, '', [['authorization', 'Bearer broken']])).status, 500)
    assert.equal((await call(null, '', [['authorization', 'Bearer good']])).status, 500)
  })
}

for (const [shape, headers, status] of [
  ['mixed case', { Authorization: 'Bearer good' }, 200],
  ['a list', { authorization: ['Bearer good'] }, 200],
  ['a list of two', { authorization: ['Bearer good', 'Bearer good'] }, 400],
  ['two spellings', { authorization: 'Bearer good', Authorization: 'Bearer good' }, 400],
  ['Headers', new Headers({ authorization: 'Bearer good' }), 200],
  ['a Map', new Map([['Authorization', 'Bearer good']]), 200],
  ['pairs', [['Authorization', 'Bearer good']], 200],
  ['octets', { authorization: Buffer.from('Bearer good') }, 200],
  ['a number', { authorization: 7 }, 401],
  ['null', { authorization: null }, 401],
  ['undefined', undefined, 401],
  ['a prototype', Object.create({ authorization: 'Bearer good' }), 401],
] as const) {
  test(`headers as ${shape} are answered ${status}`, async () => {
    let answered = 0
    const end = { end: () => undefined }
    const writeHead = (code: number) => {
      answered = code
      return end
    }

    await bearer(verifier)({ headers }, { writeHead }, (error) => {
      answered = error === undefined ? 200 : 500
    })

    assert.equal(answered, status)
  })
}

test('admit takes one header, a list, or none', async () => {
  for (const none of [undefined, null, []]) assert.ok('status' in (await admit(verifier, none)))
  for (const one of ['Bearer good', ['Bearer good']]) assert.ok('subject' in (await admit(verifier, one)))
})
