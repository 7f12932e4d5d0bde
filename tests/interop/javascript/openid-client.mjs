// openid-client: discovery by RFC 8414, then every request it can make of this server.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as client from 'openid-client'
import { live } from './live.mjs'

const METHODS = [
  ['web-basic', client.ClientSecretBasic(live.secrets['web-basic'])],
  ['web-post', client.ClientSecretPost(live.secrets['web-post'])],
  ['spa', client.None()],
]
const invalidGrant = { name: 'ResponseBodyError', error: 'invalid_grant', status: 400 }

function discovered(clientId, authentication) {
  const options = { algorithm: 'oauth2', execute: [client.allowInsecureRequests] }
  return client.discovery(new URL(live.issuer), clientId, undefined, authentication, options)
}

function logIn(config, parameters = {}) {
  const form = { username: live.username, password: live.password, ...parameters }
  return client.genericGrantRequest(config, 'password', form)
}

/** What the resource server is told of a token. */
async function introspected(token) {
  const config = await discovered('orders-api', client.ClientSecretBasic(live.secrets['orders-api']))
  return client.tokenIntrospection(config, token)
}

test('discovery finds the endpoints and what they accept', async () => {
  const server = (await discovered(...METHODS[0])).serverMetadata()

  assert.equal(server.issuer, live.issuer)
  assert.equal(server.token_endpoint, `${live.issuer}/oauth/token`)
  assert.equal(server.revocation_endpoint, `${live.issuer}/oauth/revoke`)
  assert.equal(server.introspection_endpoint, `${live.issuer}/oauth/introspect`)
  assert.equal(server.jwks_uri, `${live.issuer}/.well-known/jwks.json`)
  assert.deepEqual(server.grant_types_supported, ['authorization_code', 'client_credentials', 'password', 'refresh_token'])
  assert.deepEqual(server.token_endpoint_auth_methods_supported, [
    'client_secret_basic', 'client_secret_post', 'private_key_jwt', 'none',
  ])
})

test('discovery by OpenID Connect, its default, finds the same', async () => {
  const options = { execute: [client.allowInsecureRequests] }
  const [clientId, authentication] = METHODS[0]
  const config = await client.discovery(new URL(live.issuer), clientId, undefined, authentication, options)

  const { supportsPKCE: _, ...found } = config.serverMetadata()
  const { supportsPKCE: __, ...expected } = (await discovered(...METHODS[0])).serverMetadata()
  assert.deepEqual(found, expected)
})

for (const [clientId, authentication] of METHODS) {
  test(`${clientId} logs a user in`, async () => {
    const config = await discovered(clientId, authentication)
    const token = await logIn(config, { scope: 'read' })

    assert.equal(token.token_type, 'bearer') // lower-cased by the library: the type is case-insensitive
    assert.equal(token.scope, 'read')
    assert.equal(token.expires_in, 600)
    const seen = await introspected(token.access_token)
    assert.deepEqual(
      { active: seen.active, sub: seen.sub, client_id: seen.client_id, aud: seen.aud, scope: seen.scope },
      { active: true, sub: live.sub, client_id: clientId, aud: live.audience, scope: 'read' },
    )
  })

  test(`${clientId} refreshes, and a replay ends the session`, async () => {
    const config = await discovered(clientId, authentication)
    const first = await logIn(config)
    const second = await client.refreshTokenGrant(config, first.refresh_token)

    assert.notEqual(second.refresh_token, first.refresh_token)
    assert.equal((await introspected(second.access_token)).active, true)
    await assert.rejects(client.refreshTokenGrant(config, first.refresh_token), invalidGrant)
    await assert.rejects(client.refreshTokenGrant(config, second.refresh_token), invalidGrant)
    assert.deepEqual(await introspected(second.access_token), { active: false })
  })

  test(`${clientId} revokes, twice without harm`, async () => {
    const config = await discovered(clientId, authentication)
    const token = await logIn(config)

    await client.tokenRevocation(config, token.refresh_token, { token_type_hint: 'refresh_token' })
    await client.tokenRevocation(config, token.refresh_token)

    await assert.rejects(client.refreshTokenGrant(config, token.refresh_token), invalidGrant)
    assert.deepEqual(await introspected(token.access_token), { active: false })
  })
}

for (const [clientId, authentication] of METHODS.slice(0, 2)) {
  test(`${clientId} gets a token by client credentials`, async () => {
    const config = await discovered(clientId, authentication)
    const token = await client.clientCredentialsGrant(config, { scope: 'write' })

    assert.equal(token.refresh_token, undefined)
    const seen = await introspected(token.access_token)
    assert.deepEqual({ sub: seen.sub, scope: seen.scope, sid: seen.sid }, { sub: clientId, scope: 'write', sid: undefined })
  })
}

test('a wrong secret is answered with an HTTP challenge', async () => {
  const config = await discovered('web-basic', client.ClientSecretBasic('wrong'))

  await assert.rejects(logIn(config), (error) => {
    assert.equal(error.code, 'OAUTH_WWW_AUTHENTICATE_CHALLENGE')
    assert.equal(error.status, 401)
    assert.equal(error.cause[0].scheme, 'basic')
    assert.equal(error.cause[0].parameters.realm, 'jeton')
    return true
  })
})

test('a wrong password is invalid_grant', async () => {
  const config = await discovered(...METHODS[2])

  await assert.rejects(logIn(config, { password: 'wrong' }), invalidGrant)
})

test('more scope than the login had is invalid_scope, and consumes nothing', async () => {
  const config = await discovered(...METHODS[0])
  const token = await logIn(config, { scope: 'read' })

  await assert.rejects(client.refreshTokenGrant(config, token.refresh_token, { scope: 'read write' }), {
    error: 'invalid_scope',
  })
  assert.equal((await client.refreshTokenGrant(config, token.refresh_token)).scope, 'read')
})
