/** Express and Hono: only requests with a valid access token reach the handler; others are answered as in RFC 6750. */

import assert from 'node:assert/strict'
import type { AddressInfo } from 'node:net'
import { after, before, test } from 'node:test'
import {
  AccessToken,
  accessTokenOf,
  admit,
  bearer,
  type ClientError,
  honoBearer,
  InvalidTokenError,
  VerificationUnavailableError,
} from '@jeton/client'
import express from 'express'
import { Hono } from 'hono'

/** Accepts the token `good`, cannot verify `away`, and fails on `broken`. */
const verifier = {
  async verify(token: string): Promise<AccessToken> {
    if (token === 'away') throw new VerificationUnavailableError('away', 3)
    if (token === 'broken') throw new RangeError('a mistake of ours')
    if (token !== 'good' && token !== 'bound') throw new InvalidTokenError('signature')
    const facts = {
      subject: 'u_1',
      clientId: 'app',
      expiresAt: 2e9,
      roles: [],
      claims: token === 'bound' ? { cnf: {} } : {},
      status: null,
    }
    return new AccessToken({ ...facts, scope: new Set(['read']) })
  },
}
const reported: string[] = []
const report = (why: ClientError) => reported.push(why.message)

type Call = (path: string, headers: [string, string][]) => Promise<Response>
const frameworks = new Map<string, Call>()
let stop: () => void

before(async () => {
  const app = express()
  app.set('env', 'test')
  app.get('/read', bearer(verifier, { scope: ['read'], report }), (request, response) => {
    response.json(accessTokenOf(request).subject)
  })
  app.get('/write', bearer(verifier, { scope: ['read', 'write'] }), (_, response) => {
    response.json('written')
  })
  app.get('/open', (request, response) => {
    response.json(accessTokenOf(request).subject)
  })
  const server = app.listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  stop = () => server.close()
  const { port } = server.address() as AddressInfo
  frameworks.set('Express', (path, headers) => fetch(`http://127.0.0.1:${port}${path}`, { headers }))

  const hono = new Hono()
  hono.get('/read', honoBearer(verifier, { scope: ['read'], report }), (c) => c.json(accessTokenOf(c.req.raw).subject))
  hono.get('/write', honoBearer(verifier, { scope: ['read', 'write'] }), (c) => c.json('written'))
  hono.get('/open', (c) => c.json(accessTokenOf(c.req.raw).subject))
  hono.onError((_, c) => c.text('broken', 500))
  frameworks.set('Hono', async (path, headers) => hono.request(path, { headers }))
})

after(() => stop())

const TABLE = [
  ['a good token', '/read', 'Bearer good', 200, null],
  ['the scheme in other letters', '/read', 'bEARER good', 200, null],
  ['no token', '/read', null, 401, 'Bearer realm="api"'],
  ['another scheme', '/read', 'Basic dTpw', 401, 'Bearer realm="api"'],
  ['a bad token', '/read', 'Bearer bad', 401, 'error="invalid_token"'],
  ['a token that is bound to a key', '/read', 'Bearer bound', 401, 'error="invalid_token"'],
  ['half a header', '/read', 'Bearer', 400, 'error="invalid_request"'],
  ['too little scope', '/write', 'Bearer good', 403, 'error="insufficient_scope", .*scope="read write"'],
  ['keys that cannot be had', '/read', 'Bearer away', 503, null],
  ['a mistake of ours', '/read', 'Bearer broken', 500, null],
  ['a handler without the middleware', '/open', 'Bearer good', 500, null],
] as const

for (const framework of ['Express', 'Hono']) {
  for (const [what, path, authorization, status, challenge] of TABLE) {
    test(`${framework}: ${what} is answered ${status}`, async () => {
      const headers: [string, string][] = authorization === null ? [] : [['authorization', authorization]]

      const answer = await frameworks.get(framework)?.(path, headers)

      assert.equal(answer?.status, status)
      if (challenge === null) assert.equal(answer?.headers.get('www-authenticate'), null)
      else assert.match(answer?.headers.get('www-authenticate') ?? '', new RegExp(challenge))
      if (status === 503) assert.equal(answer?.headers.get('retry-after'), '3')
    })
  }

  test(`${framework}: two Authorization headers are refused`, async () => {
    const twice: [string, string][] = [
      ['authorization', 'Bearer good'],
      ['authorization', 'Bearer good'],
    ]

    assert.equal((await frameworks.get(framework)?.('/read', twice))?.status, 400)
  })
}

for (const [what, headers, status] of [
  ['of a mixed case', { Authorization: 'Bearer good' }, 200],
  ['as a list', { authorization: ['Bearer good'] }, 200],
  ['twice, in lists', { authorization: ['Bearer good', 'Bearer good'] }, 400],
  ['twice, in other letters', { authorization: 'Bearer good', Authorization: 'Bearer good' }, 400],
  ['as Headers', new Headers({ authorization: 'Bearer good' }), 200],
  ['as a Map', new Map([['Authorization', 'Bearer good']]), 200],
  ['as pairs', [['Authorization', 'Bearer good']], 200],
  ['as octets', { authorization: Buffer.from('Bearer good') }, 200],
  ['as a number', { authorization: 7 }, 401],
  ['null', { authorization: null }, 401],
  ['nowhere', undefined, 401],
  ['on a prototype', Object.create({ authorization: 'Bearer good' }), 401],
] as const) {
  test(`headers ${what} are answered ${status}`, async () => {
    const request = { headers }
    let answered = 0
    const end = { end: () => undefined }
    const response = {
      writeHead: (code: number) => {
        answered = code
        return end
      },
    }

    await bearer(verifier)(request, response, (error) => {
      answered = error === undefined ? 200 : 500
    })

    assert.equal(answered, status)
  })
}

test('admit takes a header, several, or none', async () => {
  for (const none of [undefined, null, []]) assert.equal('status' in (await admit(verifier, none)), true)
  for (const one of ['Bearer good', ['Bearer good']]) assert.equal('subject' in (await admit(verifier, one)), true)
})

test('why a token was refused is told to the log, and not to the caller', async () => {
  reported.length = 0

  const answer = await frameworks.get('Hono')?.('/read', [['authorization', 'Bearer bad']])

  assert.deepEqual(reported, ['signature'])
  assert.equal(await answer?.text(), '{"error":"invalid_token"}')
})
