// openid-client with DPoP, where it handles nonces by itself; with PAR and private_key_jwt where the client has a key.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as client from 'openid-client'
import { authorize, live } from './live.mjs'

const { kid, ...jwk } = live.key
const key = await crypto.subtle.importKey('jwk', jwk, { name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign'])
const APPS = [
  ['web-key', client.PrivateKeyJwt({ key, kid }), client.buildAuthorizationUrlWithPAR],
  ['spa', client.None(), client.buildAuthorizationUrl],
]

for (const [clientId, authentication, buildUrl] of APPS) {
  test(`${clientId} signs a user in, and keeps the session, by its key`, async () => {
    const options = { execute: [client.allowInsecureRequests] }
    const config = await client.discovery(new URL(live.issuer), clientId, undefined, authentication, options)
    const DPoP = client.getDPoPHandle(config, await client.randomDPoPKeyPair())
    const pkceCodeVerifier = client.randomPKCECodeVerifier()
    const expectedState = client.randomState()
    const parameters = {
      redirect_uri: live.callback,
      scope: 'openid profile',
      state: expectedState,
      code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
      code_challenge_method: 'S256',
    }
    const url = await buildUrl(config, parameters, { DPoP })
    const checks = { pkceCodeVerifier, expectedState, idTokenExpected: true }
    const first = await client.authorizationCodeGrant(config, await authorize(url), checks, undefined, { DPoP })
    const second = await client.refreshTokenGrant(config, first.refresh_token, undefined, { DPoP })
    assert.deepEqual([first.token_type, second.token_type], ['dpop', 'dpop'])
    const user = await client.fetchUserInfo(config, second.access_token, live.sub, { DPoP })
    assert.equal(user.preferred_username, live.username)
    await assert.rejects(client.fetchUserInfo(config, second.access_token, live.sub), { status: 401 })
  })
}
