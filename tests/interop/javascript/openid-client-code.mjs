// openid-client: the authorization code flow of OpenID Connect, with signatures of ID tokens verified.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as client from 'openid-client'
import { authorize, clientKey, live } from './live.mjs'

const APPS = [
  ['web-basic', client.ClientSecretBasic(live.secrets['web-basic'])],
  ['web-post', client.ClientSecretPost(live.secrets['web-post'])],
  ['spa', client.None()],
  ['web-key', client.PrivateKeyJwt(await clientKey())],
]

/** Sends the user to the server. Returns what redeems the answer. */
async function answered(config, decision = 'allow', scope = 'openid profile read') {
  const pkceCodeVerifier = client.randomPKCECodeVerifier()
  const expectedState = client.randomState()
  const expectedNonce = client.randomNonce()
  const build = config.clientMetadata().client_id === 'web-key' ? client.buildAuthorizationUrlWithPAR : client.buildAuthorizationUrl
  const url = await build(config, {
    redirect_uri: live.callback,
    scope,
    state: expectedState,
    nonce: expectedNonce,
    code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: 'S256',
  })
  const answer = await authorize(url, decision)
  const idTokenExpected = true
  return () => client.authorizationCodeGrant(config, answer, { pkceCodeVerifier, expectedState, expectedNonce, idTokenExpected })
}

for (const [clientId, authentication] of APPS) {
  test(`${clientId} signs a user in, and keeps the session`, async () => {
    const options = { execute: [client.allowInsecureRequests, client.enableNonRepudiationChecks] }
    const config = await client.discovery(new URL(live.issuer), clientId, undefined, authentication, options)
    assert.equal(config.serverMetadata().supportsPKCE(), true)

    const redeem = await answered(config)
    const first = await redeem()
    const second = await client.refreshTokenGrant(config, first.refresh_token)
    assert.deepEqual([first, second].map((token) => token.claims().sub), [live.sub, live.sub])
    assert.equal(second.claims().auth_time, first.claims().auth_time)
    const user = await client.fetchUserInfo(config, second.access_token, live.sub)
    assert.equal(user.preferred_username, live.username)

    await assert.rejects(redeem(), { name: 'ResponseBodyError', error: 'invalid_grant' })
    await assert.rejects(client.refreshTokenGrant(config, second.refresh_token), { error: 'invalid_grant' })
    const denied = await answered(config, 'deny', 'openid write')
    await assert.rejects(denied(), { name: 'AuthorizationResponseError', error: 'access_denied' })
  })
}
