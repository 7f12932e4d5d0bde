// Single-page apps in Chromium that sign users in: oidc-client-ts and AppAuth, as their packages bring them.
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { newPage, serve } from './chromium.mjs'
import { live } from './live.mjs'

const SCOPE = 'openid account'
const MODULES = {
  'oidc-client-ts': `
    import { UserManager, WebStorageStateStore } from '/node_modules/oidc-client-ts/dist/esm/oidc-client-ts.js'
    const manager = new UserManager({
      authority: '${live.issuer}', client_id: 'docs', redirect_uri: location.origin + location.pathname, scope: '${SCOPE}',
      userStore: new WebStorageStateStore({ store: localStorage }), automaticSilentRenew: false,
    })
    window.begin = () => manager.signinRedirect()
    window.leave = () => manager.signoutRedirect({ post_logout_redirect_uri: location.origin + '/signed-out' })
    const complete = async () => {
      const first = await manager.signinCallback()
      const second = await manager.signinSilent()
      return [first, second].map((user) => ({ access_token: user.access_token, id_token: user.id_token }))
    }`,
  appauth: `
    import * as appauth from '/node_modules/@openid/appauth/built/src/index'
    class Query extends appauth.BasicQueryStringUtils {
      parse(input) { return super.parse(input, false) }
    }
    const fetcher = new appauth.FetchRequestor()
    const configuration = await appauth.AuthorizationServiceConfiguration.fetchFromIssuer('${live.issuer}', fetcher)
    const [client_id, redirect_uri] = ['docs', location.origin + location.pathname]
    const handler = new appauth.RedirectRequestHandler(new appauth.LocalStorageBackend(), new Query())
    const request = { client_id, redirect_uri, scope: '${SCOPE}', response_type: 'code' }
    window.begin = () => handler.performAuthorizationRequest(configuration, new appauth.AuthorizationRequest(request))
    const redeem = (grant_type, more) => {
      const parameters = new appauth.TokenRequest({ client_id, redirect_uri, grant_type, ...more })
      return new appauth.BaseTokenRequestHandler(fetcher, new Query()).performTokenRequest(configuration, parameters)
    }
    const complete = async () => {
      const { response, request } = await handler.completeAuthorizationRequest()
      const extras = { code_verifier: request.internal.code_verifier }
      const first = await redeem('authorization_code', { code: response.code, extras })
      const second = await redeem('refresh_token', { refresh_token: first.refreshToken })
      return [first, second].map((token) => ({ access_token: token.accessToken, id_token: token.idToken }))
    }`,
}
const IMPORTS = { imports: { 'base64-js': '/base64', 'jwt-decode': '/node_modules/jwt-decode/build/esm/index.js' } }

/** The page of an app, which is its callback as well. */
const page = (module) => `<!doctype html><title>App</title><link rel="icon" href="data:,">
<script type="importmap">${JSON.stringify(IMPORTS)}</script>
<script type="module">${module}
  const show = (text) => { document.body.innerHTML = '<pre></pre>'; document.querySelector('pre').textContent = text }
  if (location.search) complete().then((it) => show(JSON.stringify(it)), (error) => show(String(error)))
</script><body></body>`

/** AppAuth imports files without their extension, and a CommonJS package, as bundlers allow. */
async function script(path) {
  if (path !== '/base64') return readFile(`.${path.endsWith('.js') ? path : `${path}.js`}`)
  return `const exports = {}\n${await readFile('node_modules/base64-js/index.js')}\nexport { fromByteArray }`
}

serve(async (path) => {
  const module = path === '/signed-out' ? '/* No app. */' : MODULES[path.slice(1)]
  if (module) return ['html', page(module)]
  if (path === '/base64' || path.startsWith('/node_modules/')) return ['javascript', await script(path)]
})

/** Signs the user in, and shows what the app received. */
async function signIn(page, app) {
  page.on('pageerror', (error) => console.log(error))
  await page.goto(`${live.origin}/${app}`)
  await page.waitForFunction(() => window.begin)
  await page.evaluate(() => void window.begin())
  await page.getByLabel('User name').fill(live.username)
  await page.getByLabel('Password', { exact: true }).fill(live.password)
  await page.getByRole('button', { name: 'Sign in', exact: true }).click()
  await page.getByRole('button', { name: 'Allow', exact: true }).click()
  return JSON.parse(await page.locator('pre').innerText())
}

const pages = {}
for (const app of Object.keys(MODULES)) {
  test(`${app} signs a user in, refreshes, and calls with the token`, async () => {
    pages[app] = await newPage()
    const tokens = await signIn(pages[app], app)

    assert.equal(tokens.length, 2)
    assert.notEqual(tokens[0].access_token, tokens[1].access_token)
    for (const token of tokens) {
      assert.equal(JSON.parse(Buffer.from(token.id_token.split('.')[1], 'base64url')).sub, live.sub)
      const headers = { authorization: `Bearer ${token.access_token}` }
      assert.equal((await (await fetch(`${live.issuer}/account`, { headers })).json()).username, live.username)
    }
  })
}

test('oidc-client-ts signs the user out, at the server as well', async () => {
  const page = pages['oidc-client-ts']
  await page.evaluate(() => void window.leave())
  await page.waitForURL(`${live.origin}/signed-out*`)

  await signIn(page, 'oidc-client-ts')
})
