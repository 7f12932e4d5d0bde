/** Express and Hono: which requests are admitted, and how the others are answered. */

import assert from 'node:assert/strict'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import {
  AccessToken,
  accessTokenOf,
  admit,
  type BearerOptions,
  bearer,
  DPoP,
  DPoPNonces,
  honoBearer,
  InvalidTokenError,
  MemoryUsedProofs,
  ProtectedResource,
  VerificationUnavailableError,
} from '@jeton/client'
import express from 'express'
import { Hono } from 'hono'
import { base64url, calculateJwkThumbprint, exportJWK, generateKeyPair, SignJWT } from 'jose'
import { AUDIENCE, type Json, read, resourceOf, START } from './vectors.js'

const PROOFS = new Map<string, Json>(read('dpop_proofs').map((given: Json) => [given.name, given]))
const BOUND = { jkt: PROOFS.get('valid').thumbprint }
/** A key of these tests, and a token that is bound to it. */
const { publicKey, privateKey } = await generateKeyPair('ES256')
const jwk = await exportJWK(publicKey)
const MINE = { jkt: await calculateJwkThumbprint(jwk) }
const CLAIMS: Json = {
  mine: { cnf: MINE },
  good: {},
  bound: { cnf: BOUND },
  twice: { cnf: { ...BOUND, 'x5t#S256': 'x' } },
}

/** Accepts `good`, `bound` to the key of the proofs, and `twice`; cannot verify `away`, and fails on `broken`. */
const verifier = {
  async verify(token: string): Promise<AccessToken> {
    if (token === 'away') throw new VerificationUnavailableError('no keys', 2.5)
    if (token === 'broken') throw new RangeError('a mistake in the service')
    if (!Object.hasOwn(CLAIMS, token)) throw new InvalidTokenError('signature')
    const facts = { subject: 'u_1', clientId: 'app', expiresAt: 2e9, roles: [], status: null }
    return new AccessToken({ ...facts, scope: new Set(['read']), claims: CLAIMS[token] })
  },
}

type Headers = [string, string][]
/** Send a request to a handler that requires a token with these options, or to one without the middleware. */
type Call = (options: BearerOptions | null, query: string, headers: Headers, method?: string) => Promise<Response>

const callExpress: Call = async (options, query, headers, method = 'GET') => {
  const app = express().set('env', 'test')
  if (options !== null) app.use(bearer(verifier, options))
  app.get('/', (request, response) => {
    response.json({ sub: accessTokenOf(request).subject })
  })
  const server = app.listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  const init = { method, headers: [...headers, ['connection', 'close']] satisfies Headers }
  return fetch(`http://127.0.0.1:${port}/${query}`, init).finally(() => server.close())
}

const callHono: Call = async (options, query, headers, method = 'GET') => {
  const app = new Hono()
  if (options !== null) app.use(honoBearer(verifier, options))
  app.get('/', (c) => c.json({ sub: accessTokenOf(c.req.raw).subject }))
  app.onError((_, c) => c.text('broken', 500))
  return app.request(`/${query}`, { method, headers })
}

for (const [framework, call] of [
  ['Express', callExpress],
  ['Hono', callHono],
] as const) {
  for (const { name, given, expect } of read('middleware')) {
    test(`${framework}: ${name}`, async () => {
      const reported: Error[] = []
      const resource = given.resource && { resource: resourceOf(given.resource) }
      const options = { scope: given.scope ?? [], report: (why: Error) => reported.push(why), ...resource }
      const headers = given.authorization.map((value: string) => ['authorization', value])
      for (const proof of given.proofs ?? []) headers.push(['dpop', PROOFS.get(proof).proofs[0]])

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

/** Sign a proof for the token `mine` and `GET https://api.example/`. */
async function proof(claims: Json = {}): Promise<string> {
  const ath = base64url.encode(new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode('mine'))))
  return new SignJWT({ jti: 'p1', htm: 'GET', htu: `${AUDIENCE}/`, iat: START, ath, ...claims })
    .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk })
    .sign(privateKey)
}

for (const [framework, call] of [
  ['Express', callExpress],
  ['Hono', callHono],
] as const) {
  /** Send a request with a proof, to a resource with these options. */
  const prove = async (dpop: DPoP, claims: Json) => {
    const resource = new ProtectedResource({ identifier: AUDIENCE, authorizationServers: [], dpop })
    const headers: Headers = [
      ['authorization', 'DPoP mine'],
      ['dpop', await proof(claims)],
    ]
    return await call({ resource }, '', headers)
  }

  test(`${framework}: a proof is accepted once, and none is forgotten because the memory is full`, async () => {
    const dpop = new DPoP({ usedProofs: new MemoryUsedProofs(2), clock: () => START })
    const given = [{ jti: '1' }, { jti: '1' }, { jti: '1', iat: START - 1 }, { jti: '2' }, { jti: '3' }, { jti: '1' }]
    const answers: Response[] = []
    for (const claims of given) answers.push(await prove(dpop, claims))

    assert.deepEqual(
      answers.map(({ status }) => status),
      [200, 401, 401, 200, 503, 401],
    )
    assert.equal(answers[4]?.headers.get('retry-after'), '120')
  })

  test(`${framework}: a nonce is demanded, and each response has the next`, async () => {
    const nonces = new DPoPNonces(new Uint8Array(16))
    const dpop = new DPoP({ nonces, clock: () => START })

    const demanded = await prove(dpop, {})
    const nonce = demanded.headers.get('dpop-nonce')
    // The nonce limits the age of a proof: the clock of the client may be wrong.
    const admittedOne = await prove(dpop, { nonce, iat: 1 })
    const old = await prove(dpop, { jti: 'p2', nonce: await nonces.current(START - 120) })

    assert.deepEqual([demanded.status, admittedOne.status, old.status], [401, 200, 401])
    assert.match(demanded.headers.get('www-authenticate') ?? '', /error="use_dpop_nonce"/)
    for (const { headers } of [demanded, admittedOne, old]) assert.equal(headers.get('dpop-nonce'), nonce)
  })
}

const MCP = new ProtectedResource({ identifier: `${AUDIENCE}/mcp`, authorizationServers: ['https://as.example'] })

for (const [framework, call] of [
  ['Express', callExpress],
  ['Hono', callHono],
] as const) {
  test(`${framework}: the metadata are served without authentication, also to pages of any origin`, async () => {
    const answers = []
    for (const method of ['GET', 'HEAD', 'POST', 'OPTIONS']) {
      const options = { resource: MCP, scope: ['read'] }
      answers.push(await call(options, MCP.metadataPath.slice(1), [], method))
    }

    assert.deepEqual(
      answers.map(({ status }) => status),
      [200, 200, 405, 204],
    )
    assert.deepEqual(await answers[0]?.json(), MCP.metadata())
    for (const { headers } of answers) assert.equal(headers.get('access-control-allow-origin'), '*')
    assert.equal((await call({ resource: MCP }, MCP.metadataPath.replace('/mcp', '').slice(1), [])).status, 401)
  })
}

test('Express: a proof is for the path of the request, at whichever path the middleware is mounted', async () => {
  const seen: unknown[] = []
  const dpop = new DPoP({ clock: () => START })
  const resource = new ProtectedResource({ identifier: AUDIENCE, authorizationServers: [], dpop })
  const headers = { authorization: 'DPoP mine', dpop: await proof({ htu: `${AUDIENCE}/orders/7` }) }
  const request = { headers, method: 'GET', url: '/7?a=b', originalUrl: '/orders/7?a=b' }

  await bearer(verifier, { resource })(request, {} as never, (error) => seen.push(error))

  assert.deepEqual(seen, [undefined])
  assert.equal(accessTokenOf(request).subject, 'u_1')
})

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

    await bearer(verifier)({ headers }, { writeHead, setHeader: () => undefined }, (error) => {
      answered = error === undefined ? 200 : 500
    })

    assert.equal(answered, status)
  })
}

test('admit takes one header, a list, or none', async () => {
  for (const authorization of [undefined, null, []]) assert.ok('status' in (await admit(verifier, { authorization })))
  for (const authorization of ['Bearer good', ['Bearer good']])
    assert.ok('subject' in (await admit(verifier, { authorization })))
})
