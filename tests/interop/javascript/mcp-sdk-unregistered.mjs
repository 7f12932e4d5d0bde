// The TypeScript SDK of MCP, as a client that nobody registered: its id is the URL of its metadata document.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { auth, extractWWWAuthenticateParams } from '@modelcontextprotocol/sdk/client/auth.js'
import { authorize, live } from './live.mjs'

const redirectUrl = 'http://127.0.0.1:49154/callback'

/** What an app keeps, and where it sends people. */
class Provider {
  redirectUrl = redirectUrl
  clientMetadata = { redirect_uris: [redirectUrl] }
  clientMetadataUrl = live.document
  state = () => 'the state'
  clientInformation = () => this.client
  saveClientInformation = (client) => (this.client = client)
  tokens = () => this.kept
  saveTokens = (tokens) => (this.kept = tokens)
  redirectToAuthorization = (url) => (this.sentTo = url)
  saveCodeVerifier = (verifier) => (this.verifier = verifier)
  codeVerifier = () => this.verifier
}

const call = (token) => fetch(live.resource, { headers: token ? { authorization: `Bearer ${token}` } : {} })

test('a client gets a token without being registered, and refreshes it', async () => {
  const { resourceMetadataUrl } = extractWWWAuthenticateParams(await call())
  const provider = new Provider()
  const options = { serverUrl: live.resource, resourceMetadataUrl }

  assert.equal(await auth(provider, options), 'REDIRECT')
  assert.equal(provider.client.client_id, live.document)
  const answer = await authorize(provider.sentTo)
  const authorizationCode = answer.searchParams.get('code')
  assert.equal(await auth(provider, { ...options, authorizationCode }), 'AUTHORIZED')

  const claims = await (await call(provider.kept.access_token)).json()
  assert.deepEqual([claims.aud, claims.client_id, claims.sub], [live.resource, live.document, live.sub])
  assert.equal(await auth(provider, options), 'AUTHORIZED')
  assert.equal((await call(provider.kept.access_token)).status, 200)
})
