// oauth4webapi with DPoP: codes, tokens and refresh tokens bound to a key, and userinfo; with PAR and private_key_jwt.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as oauth from 'oauth4webapi'
import { authorize, live } from './live.mjs'

const plainHttp = { [oauth.allowInsecureRequests]: true }
const issuer = new URL(live.issuer)
const server = await oauth.processDiscoveryResponse(
  issuer,
  await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...plainHttp }),
)
const { kid, ...jwk } = live.key
const clientKey = await crypto.subtle.importKey('jwk', jwk, { name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign'])
const APPS = [
  ['web-key', oauth.PrivateKeyJwt({ key: clientKey, kid }), { pushes: true }],
  ['web-basic', oauth.ClientSecretBasic(live.secrets['web-basic']), {}],
  ['spa', oauth.None(), {}],
]

/** Does it, and once more if the server demands a nonce, which the DPoP handle has kept by then. */
async function withNonce(attempt) {
  try {
    return await attempt()
  } catch (error) {
    if (!oauth.isDPoPNonceError(error)) throw error
    return attempt()
  }
}

/** Sends the user to the server, after a push if the client pushes. Returns what redeems the answer. */
async function answered(client, authentication, DPoP, pushes) {
  const verifier = oauth.generateRandomCodeVerifier()
  const state = oauth.generateRandomState()
  const parameters = {
    redirect_uri: live.callback,
    response_type: 'code',
    scope: 'openid profile',
    state,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
  }
  let query = { ...parameters, dpop_jkt: await DPoP.calculateThumbprint() }
  if (pushes) {
    query = await withNonce(async () => {
      const options = { DPoP, ...plainHttp }
      const response = await oauth.pushedAuthorizationRequest(server, client, authentication, parameters, options)
      return oauth.processPushedAuthorizationResponse(server, client, response)
    })
  }
  const url = new URL(server.authorization_endpoint)
  url.searchParams.set('client_id', client.client_id)
  for (const [name, value] of Object.entries(query)) if (name !== 'expires_in') url.searchParams.set(name, value)
  const answer = oauth.validateAuthResponse(server, client, await authorize(url), state)
  return (handle) =>
    withNonce(async () => {
      const options = { DPoP: handle, ...plainHttp }
      const response = await oauth.authorizationCodeGrantRequest(
        ...[server, client, authentication, answer, live.callback, verifier, options],
      )
      return oauth.processAuthorizationCodeResponse(server, client, response, { requireIdToken: true })
    })
}

function refresh(client, authentication, token, DPoP) {
  return withNonce(async () => {
    const options = { DPoP, ...plainHttp }
    const response = await oauth.refreshTokenGrantRequest(server, client, authentication, token, options)
    return oauth.processRefreshTokenResponse(server, client, response)
  })
}

for (const alg of ['ES256', 'Ed25519']) {
  for (const [client_id, authentication, { pushes = false }] of APPS) {
    test(`${client_id} with a key for ${alg}`, async () => {
      const client = { client_id }
      const [DPoP, other] = await Promise.all(
        [alg, alg].map(async (it) => oauth.DPoP(client, await oauth.generateKeyPair(it))),
      )
      const redeem = await answered(client, authentication, DPoP, pushes)

      await assert.rejects(redeem(other), { error: 'invalid_grant' })
      const first = await redeem(DPoP)
      assert.equal(first.token_type, 'dpop')
      if (client_id === 'spa') {
        await assert.rejects(refresh(client, authentication, first.refresh_token, other), { error: 'invalid_grant' })
      }
      const second = await refresh(client, authentication, first.refresh_token, DPoP)
      const { sub } = oauth.getValidatedIdTokenClaims(first)
      const user = await withNonce(async () => {
        const options = { DPoP, ...plainHttp }
        const response = await oauth.userInfoRequest(server, client, second.access_token, options)
        return oauth.processUserInfoResponse(server, client, sub, response)
      })
      assert.deepEqual([sub, user.preferred_username], [live.sub, live.username])

      const bearer = await oauth.userInfoRequest(server, client, second.access_token, plainHttp)
      await assert.rejects(oauth.processUserInfoResponse(server, client, sub, bearer), (error) => {
        const offered = error.cause.map(({ scheme, parameters }) => [scheme, parameters.error])
        assert.deepEqual(offered, [['bearer', 'invalid_token'], ['dpop', undefined]])
        return true
      })
    })
  }
}
