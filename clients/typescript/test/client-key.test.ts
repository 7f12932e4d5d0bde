/** Clients that authenticate by a signature: what they sign, for whom, and how often (RFC 7523). */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Client, ClientKey } from '@jeton/client'
import { sendBy } from '@jeton/client/sending'
import { logInAsClient } from '@jeton/client/token-requests'
import { exportJWK, generateKeyPair, type JWK, jwtVerify } from 'jose'
import { ISSUER, START } from './vectors.js'

async function keyPair(algorithm: string): Promise<{ jwk: JWK; publicKey: CryptoKey }> {
  const { publicKey, privateKey } = await generateKeyPair(algorithm, { extractable: true })
  return { jwk: { ...(await exportJWK(privateKey)), kid: 'k1' }, publicKey }
}

/** Return the forms of two attempts to send one request. */
async function twoAttempts(client: Client): Promise<URLSearchParams[]> {
  const forms: URLSearchParams[] = []
  const send = sendBy(async (_, init) => {
    forms.push(new URLSearchParams(String(init?.body)))
    return new Response('{}', { status: 503 })
  })
  const request = logInAsClient(`${ISSUER}/token`, client)
  await send(request)
  await send(request)
  return forms
}

for (const algorithm of ['ES256', 'EdDSA', 'PS256']) {
  test(`each attempt has a new assertion for the issuer only: ${algorithm}`, async () => {
    const { jwk, publicKey } = await keyPair(algorithm)
    const client = { clientId: 'nightly', key: new ClientKey(jwk, () => START), issuer: ISSUER }

    const forms = await twoAttempts(client)
    const options = { audience: ISSUER, issuer: 'nightly', currentDate: new Date(START * 1000) }
    const tokens = await Promise.all(
      forms.map((form) => jwtVerify(form.get('client_assertion') ?? '', publicKey, options)),
    )

    assert.deepEqual(tokens[0]?.protectedHeader, { alg: algorithm, typ: 'client-authentication+jwt', kid: 'k1' })
    for (const { payload } of tokens) {
      const { jti, ...claims } = payload
      assert.deepEqual(claims, { iss: 'nightly', sub: 'nightly', aud: ISSUER, iat: START, exp: START + 60 })
    }
    assert.notEqual(tokens[0]?.payload.jti, tokens[1]?.payload.jti)
    assert.equal(forms[0]?.get('client_id'), 'nightly')
    assert.equal(forms[0]?.get('client_assertion_type'), 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer')
  })
}

test('a secret or a public key is no key of a client, and a client has what its method needs', async () => {
  const { jwk } = await keyPair('ES256')
  const { d, ...publicJwk } = jwk
  for (const wrong of [{ kty: 'oct', k: 'c2VjcmV0' }, publicJwk, { ...jwk, crv: 'P-384' }, { ...jwk, alg: 'HS256' }]) {
    assert.throws(() => new ClientKey(wrong), TypeError)
  }
  const key = new ClientKey(jwk)
  for (const more of [{ key, secret: 's' }, { key, method: 'none' }, { method: 'private_key_jwt' }] as const) {
    assert.throws(() => logInAsClient(`${ISSUER}/token`, { clientId: 'nightly', ...more }), TypeError)
  }
})
