// The TypeScript SDK of MCP, as an unregistered client: it calls a tool of the example.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { UnauthorizedError } from '@modelcontextprotocol/sdk/client/auth.js'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { authorize, live } from './live.mjs'
import { Provider } from './mcp-provider.mjs'

for (const [how, clientMetadataUrl] of [['its document', live.document], ['its registration']]) {
  test(`a client known by ${how} has a person sign in, and calls a tool`, async () => {
    const authProvider = new Provider({ clientMetadataUrl })
    const transport = () => new StreamableHTTPClientTransport(new URL(live.resource), { authProvider })
    const first = transport()
    await assert.rejects(new Client({ name: 'notebook', version: '1' }).connect(first), UnauthorizedError)
    const answer = await authorize(authProvider.sentTo)
    await first.finishAuth(answer.searchParams.get('code'))

    const client = new Client({ name: 'notebook', version: '1' })
    await client.connect(transport())
    await client.callTool({ name: 'add_note', arguments: { text: 'feed the cat' } })
    const { content } = await client.callTool({ name: 'list_notes', arguments: {} })
    await client.close()

    assert.ok(content.some(({ text }) => text === 'feed the cat'))
    assert.equal(authProvider.kept.scope, 'notes')
    if (clientMetadataUrl) assert.equal(authProvider.client.client_id, clientMetadataUrl)
  })
}
