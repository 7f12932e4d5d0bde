/** Verifier and introspector, beyond the scenarios: what they cannot be created with, and the size of their caches. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AccessToken, Introspector, Verifier } from '@jeton/client'
import { decodeBase64url } from '@jeton/client/base64url'
import { VerifiedTokens } from '@jeton/client/verified-tokens'
import { AUDIENCE, ISSUER, read, SERVER, START, TOKENS } from './vectors.js'

const { metadata, active, inactive } = SERVER.answers
const client = { clientId: 'api' }

for (const audience of [undefined, null, '', []] as unknown as string[]) {
  test(`an audience is required: ${JSON.stringify(audience)}`, () => {
    assert.throws(() => new Introspector({ issuer: ISSUER, client, audience }), TypeError)
    assert.throws(() => new Verifier({ issuer: ISSUER, audience }), TypeError)
  })
}

for (const algorithms of [[], ['none'], ['RS1'], ['RS256', 'HS256']]) {
  test(`only algorithms with public keys can be allowed: ${JSON.stringify(algorithms)}`, () => {
    assert.throws(() => new Verifier({ issuer: ISSUER, audience: AUDIENCE, algorithms }), TypeError)
  })
}

for (const maxCacheEntries of [0, 1]) {
  test(`a token is returned itself while it is cached, with ${maxCacheEntries} places`, async () => {
    const fetch = async (url: unknown) =>
      Response.json(`${url}`.endsWith('/keys') ? read('public_keys') : metadata.body)
    const clock = () => START
    const verifier = new Verifier({ issuer: ISSUER, audience: AUDIENCE, maxCacheEntries, fetch, clock })

    const [first, second] = [await verifier.verify(TOKENS.good), await verifier.verify(TOKENS.good)]

    assert.equal(first === second, maxCacheEntries === 1)
  })
}

test('verified tokens end with their keys, at their expiry, and when newer ones need the place', () => {
  const facts = { subject: 'u_1', clientId: 'web', scope: new Set<string>(), roles: [], claims: {}, status: null }
  const token = new AccessToken({ ...facts, expiresAt: 10 })
  const [keys, others] = [new Map(), new Map()]
  const cache = new VerifiedTokens(2)
  for (const name of ['1', '2', '3']) cache.add(name, token, keys)

  assert.deepEqual(
    ['1', '2', '3'].map((name) => cache.get(name, keys, 9.9)),
    [null, token, token],
  )
  assert.deepEqual([cache.get('3', keys, 10), cache.get('3', others, 0)], [null, null])
  cache.add('4', token, others)
  assert.deepEqual([cache.get('3', others, 0), cache.get('4', others, 0)], [null, token])
})

test('a text of the greatest size is decoded', () => {
  assert.equal(decodeBase64url('A'.repeat(8 * 1024 * 1024)).length, 6 * 1024 * 1024)
})

test('ten thousand invalid tokens evict no valid one', async () => {
  const asked: string[] = []
  const fetch = async (_: unknown, { method, body }: RequestInit = {}) => {
    if (method === 'GET') return Response.json(metadata.body)
    const token = new URLSearchParams(String(body)).get('token') ?? ''
    asked.push(token)
    return Response.json((token === 'valid' ? active : inactive).body)
  }
  const clock = () => 0
  const introspector = new Introspector({ issuer: ISSUER, client, audience: AUDIENCE, fetch, clock, monotonic: clock })
  await introspector.verify('valid')
  for (let number = 0; number < 10_000; number += 1) await introspector.verify(`${number}`).catch(() => undefined)
  await introspector.verify('9999').catch(() => undefined)
  await introspector.verify('0').catch(() => undefined)
  await introspector.verify('valid')

  assert.equal(asked.length, 10_002)
  assert.equal(asked.at(-1), '0')
})
