// An MCP server whose tools need an access token with the scope `notes`. Clients find the authorization server themselves.

import { accessTokenOf, bearer, DPoP, ProtectedResource, Verifier } from '@jeton/client'
import { createMcpExpressApp } from '@modelcontextprotocol/sdk/server/express.js'
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js'
import { z } from 'zod'

const { ISSUER = 'http://127.0.0.1:8000', RESOURCE = 'http://127.0.0.1:3001/mcp' } = process.env

const notes = new Map()

/** Return a server for one request of this user. */
function serverFor(subject) {
  const own = notes.get(subject) ?? []
  notes.set(subject, own)
  const server = new McpServer({ name: 'notes', version: '1.0.0' })
  server.registerTool('add_note', { inputSchema: { text: z.string() } }, ({ text }) => {
    own.push(text)
    return { content: [{ type: 'text', text: `${own.length} notes` }] }
  })
  server.registerTool('list_notes', {}, () => ({ content: own.map((text) => ({ type: 'text', text })) }))
  return server
}

const resource = new ProtectedResource({
  identifier: RESOURCE,
  authorizationServers: [ISSUER],
  scopesSupported: ['notes'],
  name: 'Notes',
  dpop: new DPoP(),
})
const app = createMcpExpressApp()
app.use(bearer(new Verifier({ issuer: ISSUER, audience: RESOURCE }), { resource, scope: ['notes'] }))

app.post('/mcp', async (request, response) => {
  const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: undefined })
  response.on('close', () => transport.close())
  await serverFor(accessTokenOf(request).subject).connect(transport)
  await transport.handleRequest(request, response, request.body)
})

app.listen(Number(new URL(RESOURCE).port), '127.0.0.1', () => console.log(`listening at ${RESOURCE}`))
