// oauth4webapi: the bare protocol, and the rules of RFC 9068 section 4 as a resource server applies them.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as oauth from 'oauth4webapi'
import { live, tamper, tokenResponse } from './live.mjs'

const plainHttp = { [oauth.allowInsecureRequests]: true }
const issuer = new URL(live.issuer)
const server = await oauth.processDiscoveryResponse(
  issuer,
  await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...plainHttp }),
)
const app = { client_id: 'web-basic' }
const asApp = oauth.ClientSecretBasic(live.secrets['web-basic'])
const service = { client_id: 'orders-api' }
const asService = oauth.ClientSecretPost(live.secrets['orders-api'])

async function logIn(parameters = {}) {
  const form = { username: live.username, password: live.password, ...parameters }
  const response = await oauth.genericTokenEndpointRequest(server, app, asApp, 'password', form, plainHttp)
  return oauth.processGenericTokenEndpointResponse(server, app, response)
}

async function refresh(token) {
  const response = await oauth.refreshTokenGrantRequest(server, app, asApp, token, plainHttp)
  return oauth.processRefreshTokenResponse(server, app, response)
}

async function introspect(token) {
  const response = await oauth.introspectionRequest(server, service, asService, token, plainHttp)
  return oauth.processIntrospectionResponse(server, service, response)
}

function validate(token, audience = live.audience) {
  const request = new Request('https://orders.example/orders', { headers: { authorization: `Bearer ${token}` } })
  return oauth.validateJwtAccessToken(server, request, audience, plainHttp)
}

test('discovery by OpenID Connect, its default, finds the same', async () => {
  const response = await oauth.discoveryRequest(issuer, plainHttp)

  assert.deepEqual(await oauth.processDiscoveryResponse(issuer, response), server)
})

test('a user logs in, and the access token is one of RFC 9068', async () => {
  const token = await logIn({ scope: 'read write' })
  const claims = await validate(token.access_token)

  assert.equal(claims.iss, live.issuer)
  assert.equal(claims.sub, live.sub)
  assert.equal(claims.client_id, 'web-basic')
  assert.equal(claims.scope, 'read write')
  assert.equal(claims.exp - claims.iat, token.expires_in)
})

test('a service gets such a token by client credentials', async () => {
  const response = await oauth.clientCredentialsGrantRequest(server, app, asApp, { scope: 'write' }, plainHttp)
  const token = await oauth.processClientCredentialsResponse(server, app, response)
  const claims = await validate(token.access_token)

  assert.equal(token.refresh_token, undefined)
  assert.equal(claims.sub, 'web-basic')
  assert.equal(claims.scope, 'write')
})

test('an access token is not valid for another audience', async () => {
  const { access_token } = await tokenResponse()

  await assert.rejects(validate(access_token, 'https://payroll.example'), {
    code: 'OAUTH_JWT_CLAIM_COMPARISON_FAILED',
  })
})

test('a changed access token is not valid', async () => {
  const { access_token } = await tokenResponse()

  await assert.rejects(validate(tamper(access_token, 1, { scope: 'admin' })), /signature verification failed/)
})

test('a JWT of another type is not valid, although the key is right', async () => {
  const { access_token } = await tokenResponse()

  await assert.rejects(validate(tamper(access_token, 0, { typ: 'JWT' })), /typ/)
})

test('a refresh gives the next pair; introspection knows both tokens of it', async () => {
  const first = await logIn()
  const second = await refresh(first.refresh_token)
  const access = await introspect(second.access_token)

  assert.notEqual(second.refresh_token, first.refresh_token)
  assert.equal(access.active, true)
  assert.equal(access.sid, (await validate(second.access_token)).sid)
  assert.deepEqual(await introspect(second.refresh_token), { active: false }) // it is the app's, not the service's
})

test('a replay ends the session', async () => {
  const first = await logIn()
  const second = await refresh(first.refresh_token)

  await assert.rejects(refresh(first.refresh_token), { error: 'invalid_grant' })
  await assert.rejects(refresh(second.refresh_token), { error: 'invalid_grant' })
  assert.deepEqual(await introspect(second.access_token), { active: false })
})

test('a revocation ends the session', async () => {
  const token = await logIn()

  const response = await oauth.revocationRequest(server, app, asApp, token.refresh_token, plainHttp)
  assert.equal(await oauth.processRevocationResponse(response), undefined)

  assert.equal(response.status, 200)
  assert.deepEqual(await introspect(token.access_token), { active: false })
})

test('the errors are such as the library can read', async () => {
  await assert.rejects(logIn({ password: 'wrong' }), { name: 'ResponseBodyError', error: 'invalid_grant', status: 400 })
  await assert.rejects(logIn({ scope: 'admin' }), { name: 'ResponseBodyError', error: 'invalid_scope', status: 400 })
})
