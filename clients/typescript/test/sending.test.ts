/** Responses of various implementations of `fetch` are complete, or `null`. */

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { test } from 'node:test'
import { sendBy } from '@jeton/client/sending'

const request = { method: 'GET', url: 'https://as.example/', headers: {} } as const

/** A response without web streams, as in React Native and node-fetch. */
function oldResponse(body: unknown, text = '{"a":1}') {
  const headers = new Headers({ ETag: '"1"' })
  return { status: 200, headers, body, text: async () => text } as unknown as Response
}

for (const body of [undefined, null, { pipe: () => undefined }]) {
  test(`a body that is ${JSON.stringify(body)} is read as text`, async () => {
    const send = sendBy(async () => oldResponse(body))

    assert.deepEqual(await send(request), { status: 200, headers: { etag: '"1"' }, body: '{"a":1}' })
  })
}

test('a body that is too long is no response', async () => {
  assert.equal(await sendBy(async () => oldResponse(null, 'x'.repeat(8 * 1024 * 1024 + 1)))(request), null)
})

for (const error of [
  new TypeError('fetch failed'),
  new DOMException('', 'AbortError'),
  Object.assign(new Error(), { code: 'ERR_HTTP2_GOAWAY_SESSION' }),
  'text',
]) {
  test(`a fetch that throws ${error} gives no response`, async () => {
    assert.equal(await sendBy(() => Promise.reject(error))(request), null)
    const broken = new ReadableStream({ pull: (controller) => controller.error(error) })
    assert.equal(await sendBy(async () => new Response(broken))(request), null)
  })
}

const HEAD = 'HTTP/1.1 200 OK\r\n'
for (const [what, text] of [
  ['closed', ''],
  ['cut short', `${HEAD}Content-Length: 99\r\n\r\n{`],
  ['a chunk cut short', `${HEAD}Transfer-Encoding: chunked\r\n\r\n5\r\n{`],
  ['no gzip', `${HEAD}Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}`],
  ['no HTTP', 'SSH-2.0-OpenSSH\r\n'],
  ['no UTF-8', `${HEAD}Content-Length: 1\r\n\r\n\xff`],
] as const) {
  test(`a broken response is no response: ${what}`, async () => {
    const server = createServer((socket) => {
      socket.once('data', () => socket.end(Buffer.from(text, 'latin1')))
      socket.on('error', () => undefined)
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as { port: number }

    assert.equal(await sendBy()({ ...request, url: `http://127.0.0.1:${port}/` }), null)
    server.close()
  })
}
