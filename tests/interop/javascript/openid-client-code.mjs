// openid-client: the authorization code grant.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as client from 'openid-client'
import { authorize, live } from './live.mjs'

const APPS = [
  ['web-basic', client.ClientSecretBasic(live.secrets['web-basic'])],
  ['web-post', client.ClientSecretPost(live.secrets['web-post'])],
  ['spa', client.None()],
]

/** Sends the user to the server. Returns what redeems the answer. */
async function answered(config, decision = 'allow', scope = 'read') {
  const pkceCodeVerifier = client.randomPKCECodeVerifier()
  const expectedState = client.randomState()
  const url = client.buildAuthorizationUrl(config, {
    redirect_uri: live.callback,
    scope,
    state: expectedState,
    code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: 'S256',
  })
  const answer = await authorize(url, decision)
  return () => client.authorizationCodeGrant(config, answer, { pkceCodeVerifier, expectedState })
}

for (const [clientId, authentication] of APPS) {
  test(`${clientId} signs a user in, and keeps the session`, async () => {
    const options = { algorithm: 'oauth2', execute: [client.allowInsecureRequests] }
    const config = await client.discovery(new URL(live.issuer), clientId, undefined, authentication, options)
    assert.equal(config.serverMetadata().supportsPKCE(), true)

    const redeem = await answered(config)
    const first = await redeem()
    const second = await client.refreshTokenGrant(config, first.refresh_token)
    assert.deepEqual([first.scope, second.scope], ['read', 'read'])

    await assert.rejects(redeem(), { name: 'ResponseBodyError', error: 'invalid_grant' })
    await assert.rejects(client.refreshTokenGrant(config, second.refresh_token), { error: 'invalid_grant' })
    const denied = await answered(config, 'deny', 'read write')
    await assert.rejects(denied(), { name: 'AuthorizationResponseError', error: 'access_denied' })
  })
}
