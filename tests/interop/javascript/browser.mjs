// Pages in Chromium, of a registered origin: Swagger UI, and what instrumented pages send along.
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { absolutePath } from 'swagger-ui-dist'
import { newPage, serve } from './chromium.mjs'
import { live } from './live.mjs'

const API = {
  openapi: '3.1.0',
  info: { title: 'An API', version: '1' },
  servers: [{ url: live.issuer }],
  paths: { '/account': { get: { operationId: 'account', responses: { 200: { description: 'It' } }, security: [{ login: ['account'] }] } } },
  components: {
    securitySchemes: {
      login: {
        type: 'oauth2',
        flows: { password: { tokenUrl: `${live.issuer}/oauth/token`, scopes: { account: 'Your account' } } },
      },
    },
  },
}
const PAGE = `<!doctype html><title>Swagger UI</title><link rel="icon" href="data:,"><div id="ui"></div>
<script src="swagger-ui-bundle.js"></script>
<script>SwaggerUIBundle({ dom_id: '#ui', spec: ${JSON.stringify(API)} })</script>`

serve(async (path) => {
  if (path === '/') return ['html', PAGE]
  if (path === '/swagger-ui-bundle.js') return ['javascript', await readFile(`${absolutePath()}${path}`)]
})
const page = await newPage()

/** What a page learns from a fetch. */
function fetched(path, init = {}) {
  return page.evaluate(
    async ([url, init]) => {
      const answer = await fetch(url, init)
      const names = ['etag', 'retry-after', 'www-authenticate', 'allow']
      const headers = names.filter((name) => answer.headers.has(name))
      return { status: answer.status, headers, body: await answer.json() }
    },
    [live.issuer + path, init],
  )
}

const post = (parameters, headers = {}) => ({
  method: 'POST',
  headers: { 'Content-Type': 'application/x-www-form-urlencoded; charset=UTF8', ...headers },
  body: new URLSearchParams({ client_id: 'docs', ...parameters }).toString(),
})
const login = { grant_type: 'password', username: ` ${live.username}`, password: live.password }

for (const where of ['Authorization header', 'Request body']) {
  test(`Swagger UI logs in, the client in the ${where}, and calls with the token`, async () => {
    await page.goto(live.origin)
    await page.locator('.scheme-container .authorize').click()
    await page.locator('#oauth_username').fill(live.username)
    await page.locator('#oauth_password').fill(live.password)
    await page.locator('#password_type').selectOption({ label: where })
    await page.locator('#client_id_password').fill('docs')
    await page.locator('#account-password-checkbox-login').check({ force: true })
    await page.getByRole('button', { name: 'Apply given OAuth2 credentials' }).click()
    await page.getByRole('button', { name: 'Remove authorization' }).waitFor()
    await page.locator('.btn-done').click()

    await page.locator('.opblock-summary-control').click()
    await page.getByRole('button', { name: 'Try it out' }).click()
    await page.getByRole('button', { name: 'Execute' }).click()

    const shown = page.locator('.live-responses-table .response').first()
    assert.match(await shown.innerText(), new RegExp(`200[^]*"username": "${live.username}"`))
  })
}

test('an instrumented page logs in', async () => {
  const traced = { 'sentry-trace': 'x', baggage: 'y', traceparent: 'z', 'X-Requested-With': 'XMLHttpRequest' }
  const answer = await fetched('/oauth/token', post(login, traced))

  assert.deepEqual([answer.status, answer.body.token_type], [200, 'Bearer'])
})

test('it reads public documents with any header', async () => {
  const headers = { 'MCP-Protocol-Version': '2025-06-18', traceparent: 'x', Authorization: 'Bearer x' }
  for (const path of ['oauth-authorization-server', 'openid-configuration', 'jwks.json']) {
    const answer = await fetched(`/.well-known/${path}`, { headers })
    assert.deepEqual([answer.status, answer.headers], [200, ['etag']])
  }
})

test('it reads the reason for each refusal', async () => {
  const statuses = [
    [400, [], ['/oauth/token', post({})]],
    [401, ['www-authenticate'], ['/oauth/token', post(login, { Authorization: 'Bearer x' })]],
    [401, ['www-authenticate'], ['/account', { headers: { traceparent: 'x' } }]],
    [404, [], ['/.well-known/oauth-protected-resource/elsewhere', { headers: { traceparent: 'x' } }]],
    [405, ['allow'], ['/oauth/token', {}]],
    [405, ['allow'], ['/.well-known/jwks.json', { method: 'POST' }]],
    [413, [], ['/oauth/revoke', post({ token: 'x'.repeat(40_000) })]],
    [415, [], ['/oauth/token', post(login, { 'Content-Encoding': 'gzip' })]],
  ]
  for (const [status, headers, request] of statuses) {
    const answer = await fetched(...request)
    assert.deepEqual([answer.status, answer.headers], [status, headers])
  }
})

test('a revocation is answered by JSON', async () => {
  assert.deepEqual(await fetched('/oauth/revoke', post({ token: 'x' })), { status: 200, headers: [], body: {} })
})
