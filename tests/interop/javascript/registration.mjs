// openid-client and oauth4webapi: they register themselves, have a person sign in, and manage what they registered.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as oauth from 'oauth4webapi'
import * as client from 'openid-client'
import { authorize, live } from './live.mjs'

const issuer = new URL(live.issuer)
const plainHttp = { [oauth.allowInsecureRequests]: true }
const grant_types = ['authorization_code', 'refresh_token']
const METHODS = [
  ['client_secret_basic', client.ClientSecretBasic],
  ['client_secret_post', client.ClientSecretPost],
  ['none', client.None],
]

for (const [token_endpoint_auth_method, authentication] of METHODS) {
  test(`openid-client registers by ${token_endpoint_auth_method}, and signs a person in`, async () => {
    const metadata = { redirect_uris: [live.callback], client_name: 'Photos', grant_types, token_endpoint_auth_method }
    const options = { execute: [client.allowInsecureRequests, client.enableNonRepudiationChecks] }
    const config = await client.dynamicClientRegistration(issuer, metadata, authentication(), options)
    assert.equal(config.clientMetadata().token_endpoint_auth_method, token_endpoint_auth_method)
    assert.equal(typeof config.clientMetadata().client_secret, token_endpoint_auth_method === 'none' ? 'undefined' : 'string')

    const pkceCodeVerifier = client.randomPKCECodeVerifier()
    const [expectedState, expectedNonce] = [client.randomState(), client.randomNonce()]
    const url = client.buildAuthorizationUrl(config, {
      redirect_uri: live.callback,
      scope: 'openid profile offline_access',
      prompt: 'consent',
      state: expectedState,
      nonce: expectedNonce,
      code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
      code_challenge_method: 'S256',
    })
    const checks = { pkceCodeVerifier, expectedState, expectedNonce, idTokenExpected: true }
    const first = await client.authorizationCodeGrant(config, await authorize(url), checks)
    const second = await client.refreshTokenGrant(config, first.refresh_token)
    const user = await client.fetchUserInfo(config, second.access_token, live.sub)
    assert.deepEqual([user.sub, user.preferred_username], [live.sub, live.username])
  })
}

const metadata = { redirect_uris: [live.callback], grant_types }
const server = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, plainHttp))

async function register(document, options = {}) {
  const response = await oauth.dynamicClientRegistrationRequest(server, document, { ...plainHttp, ...options })
  return oauth.processDynamicClientRegistrationResponse(response)
}

test('oauth4webapi registers, and manages what it registered', async () => {
  const registered = await register(metadata)
  assert.equal(registered.client_secret_expires_at, 0)
  const manage = (method, document) =>
    fetch(registered.registration_client_uri, {
      method,
      headers: {
        authorization: `Bearer ${registered.registration_access_token}`,
        ...(document ? { 'content-type': 'application/json' } : {}),
      },
      body: document && JSON.stringify(document),
    })

  const read = await (await manage('GET')).json()
  assert.deepEqual(read.redirect_uris, metadata.redirect_uris)
  const update = { client_id: registered.client_id, client_name: 'New name', ...metadata }
  assert.equal((await (await manage('PUT', update)).json()).client_name, 'New name')
  assert.equal((await manage('DELETE')).status, 204)
  assert.equal((await manage('GET')).status, 401)
})

test('oauth4webapi understands the refusals', async () => {
  await assert.rejects(register({ redirect_uris: ['http://a.example'] }), { error: 'invalid_redirect_uri', status: 400 })
  await assert.rejects(register({ ...metadata, grant_types: ['password'] }), { error: 'invalid_client_metadata' })
  const wrong = register(metadata, { initialAccessToken: 'jia_wrong' })
  await assert.rejects(wrong, { name: 'WWWAuthenticateChallengeError' })
})
