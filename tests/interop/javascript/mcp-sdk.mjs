// The TypeScript SDK of MCP, as a client that was registered by command: from a 401 to a call, and a refresh.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { auth, extractWWWAuthenticateParams } from '@modelcontextprotocol/sdk/client/auth.js'
import { authorize, live } from './live.mjs'
import { Provider } from './mcp-provider.mjs'

const call = (token) => fetch(live.resource, { headers: token ? { authorization: `Bearer ${token}` } : {} })

test('a client gets a token for the resource that asked for one, and refreshes it', async () => {
  const { resourceMetadataUrl } = extractWWWAuthenticateParams(await call())
  const provider = new Provider({ client: { client_id: 'mcp' } })
  const options = { serverUrl: live.resource, resourceMetadataUrl }

  assert.equal(await auth(provider, options), 'REDIRECT')
  assert.equal(provider.sentTo.searchParams.get('resource'), live.resource)
  const answer = await authorize(provider.sentTo)
  const { code: authorizationCode, iss, state } = Object.fromEntries(answer.searchParams)
  assert.deepEqual([iss, state], [live.issuer, 'the state'])
  assert.equal(await auth(provider, { ...options, authorizationCode }), 'AUTHORIZED')

  const first = provider.kept
  const claims = await (await call(first.access_token)).json()
  assert.deepEqual([claims.aud, claims.client_id, claims.sub], [live.resource, 'mcp', live.sub])

  assert.equal(await auth(provider, options), 'AUTHORIZED')
  assert.notEqual(provider.kept.refresh_token, first.refresh_token)
  assert.equal((await call(provider.kept.access_token)).status, 200)
})
