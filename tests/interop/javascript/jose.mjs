// jose, of two major versions: an access token verified through the published key set (RFC 7517, 7519, 9068).
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { live, tamper, tokenResponse } from './live.mjs'

const { createRemoteJWKSet, jwtVerify, calculateJwkThumbprint } = await import(process.env.JOSE_PACKAGE)

const keys = createRemoteJWKSet(new URL(`${live.issuer}/.well-known/jwks.json`))
const rules = {
  issuer: live.issuer,
  audience: live.audience,
  typ: 'at+jwt',
  algorithms: ['RS256'],
  requiredClaims: ['exp', 'iat', 'sub', 'jti', 'client_id'],
}
const { access_token: token, refresh_token: refreshToken } = await tokenResponse({ scope: 'read' })

test('an access token verifies', async () => {
  const { payload, protectedHeader } = await jwtVerify(token, keys, rules)

  assert.equal(payload.sub, live.sub)
  assert.equal(payload.scope, 'read')
  assert.equal(payload.client_id, 'web-basic')
  assert.deepEqual(Object.keys(protectedHeader).sort(), ['alg', 'kid', 'typ'])
})

test('the kid is the thumbprint of the key', async () => {
  const { keys: published } = await (await fetch(`${live.issuer}/.well-known/jwks.json`)).json()

  assert.ok(published.length >= 2)
  for (const jwk of published) assert.equal(jwk.kid, await calculateJwkThumbprint(jwk))
})

test('it expires', async () => {
  const { payload } = await jwtVerify(token, keys, rules)
  const at = (seconds) => ({ ...rules, currentDate: new Date(seconds * 1000) })

  await jwtVerify(token, keys, at(payload.exp - 1))
  await assert.rejects(jwtVerify(token, keys, at(payload.exp)), { code: 'ERR_JWT_EXPIRED' })
})

for (const [what, rule] of [
  ['aud', { audience: 'https://payroll.example' }],
  ['iss', { issuer: `${live.issuer}/` }],
  ['typ', { typ: 'JWT' }],
]) {
  test(`it is refused where another ${what} is wanted`, async () => {
    await assert.rejects(jwtVerify(token, keys, { ...rules, ...rule }), {
      code: 'ERR_JWT_CLAIM_VALIDATION_FAILED',
      claim: what,
    })
  })
}

test('changed claims do not verify', async () => {
  await assert.rejects(jwtVerify(tamper(token, 1, { sub: 'u_0' }), keys, rules), {
    code: 'ERR_JWS_SIGNATURE_VERIFICATION_FAILED',
  })
})

test('a kid that was never published is refused', async () => {
  await assert.rejects(jwtVerify(tamper(token, 0, { kid: 'none of ours' }), keys, rules), {
    code: 'ERR_JWKS_NO_MATCHING_KEY',
  })
})

test('a token without a signature is refused', async () => {
  await assert.rejects(jwtVerify(tamper(token, 0, { alg: 'none' }), keys, rules), {
    code: 'ERR_JOSE_ALG_NOT_ALLOWED',
  })
})

test('a refresh token is no JWT', async () => {
  await assert.rejects(jwtVerify(refreshToken, keys, rules), { code: 'ERR_JWS_INVALID' })
})
