/** With a live server: log in, renew, verify, introspect, revoke, notice an ended session. */

import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { ClientKey, Introspector, InvalidTokenError, LoginRequiredError, TokenSession, Verifier } from '@jeton/client'
import { exportJWK, generateKeyPair } from 'jose'
import { Jeton } from './jeton.js'

const AUDIENCE = 'https://orders.example'
let jeton: Jeton
let password: string
const secrets: Record<string, string> = {}

before(async () => {
  jeton = await Jeton.installed()
  const grants = ['password', 'refresh_token', 'client_credentials'].flatMap((grant) => ['--grant', grant])
  const added = [
    await jeton.run('client', 'add', 'web', ...grants, '--scope', 'read', '--scope', 'write', '--audience', AUDIENCE),
    await jeton.run('client', 'add', 'api', '--introspect', '--audience', AUDIENCE),
  ]
  for (const { client_id: name, client_secret: secret } of added) secrets[name] = secret
  password = (await jeton.run('user', 'add', 'alice', '--role', 'clerk', '--generate-password')).password
  await jeton.start()
})

after(() => jeton?.remove())

/** Return the options for this client, as issuer and audience know them. */
function optionsOf(clientId: string) {
  return { issuer: jeton.issuer, audience: AUDIENCE, client: { clientId, secret: secrets[clientId] ?? '' } }
}

async function loggedIn(): Promise<TokenSession> {
  const session = new TokenSession(optionsOf('web'))
  await session.logIn('alice', password, { scope: 'read' })
  return session
}

test('a login returns a token that a service verifies, and fifty tasks renew it once', async () => {
  const session = await loggedIn()
  const first = await session.accessToken()

  const renewed = new Set(await Promise.all(Array.from({ length: 50 }, () => session.renew(first))))

  assert.ok(renewed.size === 1 && !renewed.has(first))
  const token = await new Verifier(optionsOf('web')).verify(await session.accessToken())
  assert.deepEqual([token.clientId, [...token.scope], token.roles], ['web', ['read'], ['clerk']])
})

test('a client gets a token for itself', async () => {
  const session = new TokenSession(optionsOf('web'))
  await session.logInAsClient({ scope: 'write' })

  const token = await new Verifier(optionsOf('web')).verify(await session.accessToken())

  assert.deepEqual([token.subject, [...token.scope]], ['web', ['write']])
})

test('a client proves itself by its key, again and again', async () => {
  const { publicKey, privateKey } = await generateKeyPair('ES256', { extractable: true })
  const jwks = join(jeton.folder, 'jwks.json')
  writeFileSync(jwks, JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), kid: 'k1' }] }))
  const own = ['--grant', 'client_credentials', '--scope', 'read', '--audience', AUDIENCE]
  await jeton.run('client', 'add', 'nightly', ...own, '--auth-method', 'private_key_jwt', '--jwks', jwks)
  const key = new ClientKey({ ...(await exportJWK(privateKey)), kid: 'k1' })
  const session = new TokenSession({ issuer: jeton.issuer, client: { clientId: 'nightly', key } })

  await session.logInAsClient()
  const first = await session.accessToken()

  assert.notEqual(await session.renew(first), first)
})

test('introspection agrees with verification until the logout', async () => {
  const session = await loggedIn()
  const token = await session.accessToken()

  assert.deepEqual([...(await new Introspector(optionsOf('api')).verify(token)).scope], ['read'])
  await session.logOut()
  await assert.rejects(new Introspector(optionsOf('api')).verify(token), InvalidTokenError)
  await assert.rejects(session.accessToken(), LoginRequiredError)
})

test('a session that an administrator ended requires a login', async () => {
  const session = await loggedIn()
  const token = await session.accessToken()
  await jeton.run('session', 'revoke', '--user', 'alice')

  await assert.rejects(session.renew(token), LoginRequiredError)
})

test('an ended session is refused within five seconds, without a call per request', async (t) => {
  let fetched = 0
  const counting: typeof fetch = (...request) => {
    fetched += 1
    return fetch(...request)
  }
  const verifier = new Verifier({ ...optionsOf('web'), fetch: counting })
  const session = await loggedIn()
  const token = await session.accessToken()
  await verifier.verify(token)
  await session.logOut()
  const begun = Date.now()
  let [handled, refused]: [number, unknown] = [0, null]
  while (refused === null) {
    handled += 1
    refused = await verifier.verify(token).then(
      () => null,
      (error: unknown) => error,
    )
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
  const seconds = (Date.now() - begun) / 1000
  t.diagnostic(JSON.stringify({ seconds, handled, fetched }))

  assert.ok(refused instanceof InvalidTokenError && refused.reason === 'ended')
  assert.ok(seconds < 5)
  assert.ok(fetched < 10 && handled > 50)
})
