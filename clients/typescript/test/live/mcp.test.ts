/** The MCP server in TypeScript, connected to by the client of MCP's own SDK, unregistered. */

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type OAuthClientProvider, UnauthorizedError } from '@modelcontextprotocol/sdk/client/auth.js'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import type { OAuthClientInformationMixed, OAuthTokens } from '@modelcontextprotocol/sdk/shared/auth.js'
import { ExampleProcesses } from './example-processes.js'
import { freePort, Jeton } from './jeton.js'
import { Person } from './person.js'

const REDIRECT_URL = 'http://localhost:49154/callback'
let jeton: Jeton
let processes: ExampleProcesses
let resource: string
let person: Person

before(async () => {
  jeton = await Jeton.installed(null, { JETON_REGISTRATION__DYNAMIC: 'open' })
  resource = `http://127.0.0.1:${await freePort()}/mcp`
  await jeton.run('resource', 'add', resource, '--name', 'Notes', '--scope', 'notes', '--open')
  person = new Person('bea', (await jeton.run('user', 'add', 'bea', '--generate-password')).password)
  await jeton.start()
  processes = new ExampleProcesses()
  await processes.run('mcp-server-typescript/server.js', { ISSUER: jeton.issuer, RESOURCE: resource })
})

after(async () => {
  processes?.remove()
  await jeton?.remove()
})

/** What an app keeps, and where it sends people. */
class Provider implements OAuthClientProvider {
  readonly redirectUrl = REDIRECT_URL
  readonly clientMetadata = { client_name: 'Notebook', redirect_uris: [REDIRECT_URL] }
  client: OAuthClientInformationMixed | undefined
  kept: OAuthTokens | undefined
  answer: Promise<URL> | undefined
  #verifier = ''

  clientInformation = () => this.client
  saveClientInformation = (client: OAuthClientInformationMixed) => {
    this.client = client
  }
  tokens = () => this.kept
  saveTokens = (tokens: OAuthTokens) => {
    this.kept = tokens
  }
  redirectToAuthorization = (url: URL) => {
    this.answer = person.authorize(url)
  }
  saveCodeVerifier = (verifier: string) => {
    this.#verifier = verifier
  }
  codeVerifier = () => this.#verifier
}

test('the SDK registers itself, has a person sign in, and calls a tool', async () => {
  const authProvider = new Provider()
  const transport = () => new StreamableHTTPClientTransport(new URL(resource), { authProvider })
  const first = transport()
  await assert.rejects(new Client({ name: 'notebook', version: '1' }).connect(first), UnauthorizedError)
  const answer = await authProvider.answer
  await first.finishAuth(answer?.searchParams.get('code') ?? '')

  const client = new Client({ name: 'notebook', version: '1' })
  await client.connect(transport())
  await client.callTool({ name: 'add_note', arguments: { text: 'water the plants' } })
  const { content } = await client.callTool({ name: 'list_notes', arguments: {} })
  await client.close()

  assert.deepEqual(content, [{ type: 'text', text: 'water the plants' }])
  assert.equal(authProvider.kept?.scope, 'notes')
  const [registered] = await jeton.run('client', 'list')
  assert.equal(registered.client_id, authProvider.client?.client_id)
})
