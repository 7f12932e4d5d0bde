// oauth4webapi: the authorization code grant, with each check that it makes of the answers.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as oauth from 'oauth4webapi'
import { authorize, clientKey, live } from './live.mjs'

const plainHttp = { [oauth.allowInsecureRequests]: true }
const issuer = new URL(live.issuer)
const server = await oauth.processDiscoveryResponse(
  issuer,
  await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...plainHttp }),
)
const APPS = [
  ['web-basic', oauth.ClientSecretBasic(live.secrets['web-basic'])],
  ['web-post', oauth.ClientSecretPost(live.secrets['web-post'])],
  ['spa', oauth.None()],
]
const invalidGrant = { name: 'ResponseBodyError', error: 'invalid_grant', status: 400 }

/** Sends the user to the server. Returns the answer at the callback, its state, and the code verifier. */
async function answered(clientId, decision = 'allow', more = {}) {
  const verifier = oauth.generateRandomCodeVerifier()
  const state = oauth.generateRandomState()
  const url = new URL(server.authorization_endpoint)
  const parameters = {
    client_id: clientId,
    redirect_uri: live.callback,
    response_type: 'code',
    scope: 'read',
    state,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    ...more,
  }
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value)
  return [await authorize(url, decision), state, verifier]
}

async function redeem(client, authentication, parameters, verifier) {
  const response = await oauth.authorizationCodeGrantRequest(
    ...[server, client, authentication, parameters, live.callback, verifier, plainHttp],
  )
  return oauth.processAuthorizationCodeResponse(server, client, response)
}

for (const [client_id, authentication] of APPS) {
  test(`${client_id} redeems a code, once`, async () => {
    const client = { client_id }
    const [answer, state, verifier] = await answered(client_id)
    const parameters = oauth.validateAuthResponse(server, client, answer, state)

    const token = await redeem(client, authentication, parameters, verifier)
    assert.deepEqual([token.token_type, token.scope, token.expires_in], ['bearer', 'read', 600])
    await assert.rejects(redeem(client, authentication, parameters, verifier), invalidGrant)
    const refresh = await oauth.refreshTokenGrantRequest(server, client, authentication, token.refresh_token, plainHttp)
    await assert.rejects(oauth.processRefreshTokenResponse(server, client, refresh), invalidGrant)
  })

  test(`${client_id} with another verifier gets nothing, and leaves the code to its owner`, async () => {
    const client = { client_id }
    const [answer, state, verifier] = await answered(client_id)
    const parameters = oauth.validateAuthResponse(server, client, answer, state)

    const other = oauth.generateRandomCodeVerifier()
    await assert.rejects(redeem(client, authentication, parameters, other), invalidGrant)
    assert.equal((await redeem(client, authentication, parameters, verifier)).scope, 'read')
  })
}

test('an ID token has the nonce, and names the user of userinfo', async () => {
  const [client, authentication] = [{ client_id: 'web-basic' }, APPS[0][1]]
  const nonce = oauth.generateRandomNonce()
  const [answer, state, verifier] = await answered('web-basic', 'allow', { scope: 'openid profile', nonce, max_age: 60 })
  const parameters = oauth.validateAuthResponse(server, client, answer, state)
  const response = await oauth.authorizationCodeGrantRequest(
    ...[server, client, authentication, parameters, live.callback, verifier, plainHttp],
  )
  const expected = { expectedNonce: nonce, maxAge: 60, requireIdToken: true }
  const token = await oauth.processAuthorizationCodeResponse(server, client, response, expected)
  await oauth.validateApplicationLevelSignature(server, response, plainHttp)

  const { sub } = oauth.getValidatedIdTokenClaims(token)
  const userinfo = await oauth.userInfoRequest(server, client, token.access_token, plainHttp)
  const user = await oauth.processUserInfoResponse(server, client, sub, userinfo)
  assert.deepEqual([sub, user.preferred_username], [live.sub, live.username])
})

for (const bound of [false, true]) {
  test(`a client with a key pushes its request${bound ? ', and its tokens are bound to another key' : ''}`, async () => {
    const client = { client_id: 'web-key' }
    const authentication = oauth.PrivateKeyJwt(await clientKey())
    const DPoP = bound ? oauth.DPoP(client, await oauth.generateKeyPair('ES256')) : undefined
    const options = { DPoP, ...plainHttp }
    const verifier = oauth.generateRandomCodeVerifier()
    const state = oauth.generateRandomState()
    const pushed = await oauth.processPushedAuthorizationResponse(
      server,
      client,
      await oauth.pushedAuthorizationRequest(
        ...[server, client, authentication],
        {
          redirect_uri: live.callback,
          response_type: 'code',
          scope: 'read',
          state,
          code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
          code_challenge_method: 'S256',
        },
        options,
      ),
    )
    const url = new URL(server.authorization_endpoint)
    url.search = new URLSearchParams({ client_id: client.client_id, request_uri: pushed.request_uri })
    const parameters = oauth.validateAuthResponse(server, client, await authorize(url), state)
    const response = await oauth.authorizationCodeGrantRequest(
      ...[server, client, authentication, parameters, live.callback, verifier, options],
    )
    const token = await oauth.processAuthorizationCodeResponse(server, client, response)
    assert.deepEqual([token.token_type, token.scope], [bound ? 'dpop' : 'bearer', 'read'])
    const revoked = await oauth.revocationRequest(server, client, authentication, token.refresh_token, plainHttp)
    await oauth.processRevocationResponse(revoked)
  })
}

test('a request that is not pushed is refused if the client has to push', async () => {
  const [answer, state] = await answered('web-key')
  assert.throws(() => oauth.validateAuthResponse(server, { client_id: 'web-key' }, answer, state), { error: 'invalid_request' })
})

test('each refusal names state and issuer', async () => {
  const refusals = [
    ['access_denied', 'deny', { scope: 'read write' }],
    ['invalid_request', 'allow', { code_challenge: 'x' }],
    ['unsupported_response_type', 'allow', { response_type: 'token' }],
    ['login_required', 'allow', { prompt: 'none' }],
  ]
  for (const [error, decision, more] of refusals) {
    const [answer, state] = await answered('web-post', decision, more)
    assert.throws(() => oauth.validateAuthResponse(server, { client_id: 'web-post' }, answer, state), {
      name: 'AuthorizationResponseError',
      error,
    })
  }
})
