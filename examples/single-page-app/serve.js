// Serve a page without a bundler: its own files, from the folder PAGE, and those of @jeton/client below /client/.

import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { pathToFileURL } from 'node:url'

const { ISSUER = 'http://127.0.0.1:8000', API = 'http://127.0.0.1:3000', PORT = '8080', PAGE } = process.env

const OWN = new Map([
  ['/', 'index.html'],
  ['/callback', 'index.html'],
  ['/app.js', 'app.js'],
  ['/style.css', 'style.css'],
])
const FOLDER = PAGE === undefined ? new URL('.', import.meta.url) : pathToFileURL(`${PAGE}/`)
const CLIENT = import.meta.resolve('@jeton/client/app')
const MEDIA_TYPES = { html: 'text/html; charset=utf-8', js: 'text/javascript', css: 'text/css' }

// No foreign script runs, and nothing is sent to other hosts. This protects the tokens.
const POLICY = `default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self' ${ISSUER} ${API}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`

function fileAt(path) {
  const own = OWN.get(path)
  if (own !== undefined) return new URL(own, own === 'style.css' ? import.meta.url : FOLDER)
  const module = /^\/client\/([a-z-]+\.js)$/.exec(path)?.[1]
  return module === undefined ? null : new URL(module, CLIENT)
}

async function contentOf(path) {
  if (path === '/config.json') return ['application/json', JSON.stringify({ issuer: ISSUER, api: API })]
  const file = fileAt(path)
  const body = file && (await readFile(file).catch(() => null))
  return body && [MEDIA_TYPES[file.pathname.split('.').at(-1)], body]
}

createServer(async (request, response) => {
  const [type, body] = (await contentOf(request.url.split('?')[0])) ?? []
  const headers = {
    'content-security-policy': POLICY,
    'referrer-policy': 'no-referrer',
    'x-content-type-options': 'nosniff',
  }
  response.writeHead(
    body === undefined ? 404 : 200,
    type === undefined ? headers : { ...headers, 'content-type': type },
  )
  response.end(body)
}).listen(Number(PORT), '127.0.0.1', () => console.log(`listening on http://127.0.0.1:${PORT}`))
