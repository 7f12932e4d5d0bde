/** Six tabs share one session, through a proxy that drops every third response, a restart and a key rotation.
 *
 * The refresh token is stored by the page, or in a cookie that no script reads (cookie mode).
 */

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { Verifier } from '@jeton/client'
import type { Browser, Page } from 'playwright-core'
import { CLIENT, launchBrowser, noBrowser, Site } from './browser.js'
import { freePort, Jeton } from './jeton.js'
import { LossyProxy } from './lossy-proxy.js'

const TABS = 6
const ROTATIONS = Number(process.env.ROTATIONS ?? 12)
const PAGE = '<!doctype html><title>A tab</title>'

interface WithSession {
  session: { renew(rejected: string): Promise<string>; logIn(username: string, password: string): Promise<void> }
}

const MODES = {
  stored: 'new TokenSession({ issuer, client, storage: tabStorage() })',
  cookie: 'cookieSession({ issuer, client })',
}

for (const [mode, construct] of Object.entries(MODES))
  describe(`tabs, refresh token: ${mode}`, { skip: noBrowser }, () => {
    let jeton: Jeton
    let proxy: LossyProxy
    let site: Site
    let browser: Browser
    let password: string

    before(async () => {
      const port = await freePort()
      jeton = await Jeton.installed(`http://127.0.0.1:${port}`)
      proxy = new LossyProxy(port, jeton.port, 3)
      site = new Site(await freePort(), { '/': PAGE, ...CLIENT })
      const grants = ['--grant', 'password', '--grant', 'refresh_token', '--scope', 'read']
      const refreshCookie = mode === 'cookie' ? ['--refresh-cookie'] : []
      await jeton.run('client', 'add', 'spa', '--public', ...grants, '--origin', site.url, ...refreshCookie)
      password = (await jeton.run('user', 'add', 'alice', '--generate-password')).password
      await Promise.all([jeton.start(), proxy.start(), site.start()])
      browser = await launchBrowser()
    })

    after(async () => {
      await browser?.close()
      site?.stop()
      proxy?.stop()
      await jeton?.remove()
    })

    /** A page with its own session object, like every tab of an app. */
    async function openTab(context: { newPage(): Promise<Page> }): Promise<Page> {
      const page = await context.newPage()
      await page.goto(site.url)
      await page.evaluate(`(async () => {
      const { TokenSession, cookieSession, tabStorage } = await import('/client/app.js')
      const [issuer, client] = ['${jeton.issuer}', { clientId: 'spa' }]
      globalThis.session = ${construct}
    })()`)
      return page
    }

    function accessTokenIn(tab: Page): Promise<string> {
      return tab.evaluate('session.accessToken()')
    }

    /** Call the service like an app: on ServerUnavailableError, try again later. */
    function renewIn(tab: Page, rejected: string): Promise<string> {
      return tab.evaluate(async (token) => {
        const { session } = globalThis as unknown as WithSession
        for (;;) {
          try {
            return await session.renew(token)
          } catch (error) {
            if (!(error instanceof Error && error.name === 'ServerUnavailableError')) throw error
            await new Promise((resolve) => setTimeout(resolve, 500))
          }
        }
      }, rejected)
    }

    /** Log in like a person, who repeats it if the answer was lost. */
    async function logInIn(tab: Page): Promise<void> {
      const logIn = () =>
        tab.evaluate((word) => (globalThis as unknown as WithSession).session.logIn('alice', word), password)
      await logIn().catch((error: Error) =>
        error.message.includes('ServerUnavailable') ? logIn() : Promise.reject(error),
      )
    }

    test(`${TABS} tabs stay logged in through ${ROTATIONS} rotations, with one rotation per refresh`, async (t) => {
      const context = await browser.newContext()
      const tabs = await Promise.all(Array.from({ length: TABS }, () => openTab(context)))
      const [first] = tabs
      assert.ok(first)
      await logInIn(first)
      let current = await accessTokenIn(first)
      const seen = new Set([current])
      const begun = Date.now()
      for (let rotation = 1; rotation <= ROTATIONS; rotation += 1) {
        const restarted = rotation === Math.ceil(ROTATIONS / 3) ? jeton.stop().then(() => jeton.start()) : null
        if (rotation === Math.ceil(ROTATIONS / 2)) await jeton.run('keys', 'rotate')
        const tokens = new Set(await Promise.all(tabs.map((tab) => renewIn(tab, current))))
        await restarted
        assert.equal(tokens.size, 1, `all tabs have the same token after rotation ${rotation}`)
        for (const token of tokens) current = token
        seen.add(current)
      }
      const seconds = (Date.now() - begun) / 1000
      const sessions = await jeton.run('session', 'list')
      const refreshes = sessions[0].refreshes
      const { tokenRequests, lost, keys } = proxy
      const counted = { tabs: TABS, rotations: seen.size - 1, refreshes, keys: keys.size, tokenRequests, lost, seconds }
      t.diagnostic(JSON.stringify(counted))

      assert.equal(sessions.length, 1)
      assert.deepEqual([seen.size - 1, refreshes, keys.size], [ROTATIONS, ROTATIONS, ROTATIONS])
      assert.ok(lost >= ROTATIONS / 3)
      const token = await new Verifier({ issuer: jeton.issuer, audience: jeton.issuer, status: null }).verify(current)
      assert.equal(token.clientId, 'spa')
      await context.close()
    })

    test('a new tab gets the access token from the others, and it is not stored', async () => {
      const context = await browser.newContext()
      const tab = await openTab(context)
      await logInIn(tab)
      const token = await accessTokenIn(tab)
      const keys = proxy.keys.size

      assert.equal(await accessTokenIn(await openTab(context)), token)
      assert.equal(proxy.keys.size, keys)
      const state = await context.storageState({ indexedDB: true })
      assert.match(JSON.stringify(state.origins), /refreshToken/)
      assert.equal(JSON.stringify(state.origins).includes('jrt_'), mode === 'stored')
      assert.ok(!JSON.stringify(state).includes(token))
      assert.deepEqual(
        state.cookies.map(({ httpOnly, sameSite, path }) => ({ httpOnly, sameSite, path })),
        mode === 'cookie' ? [{ httpOnly: true, sameSite: 'Strict', path: '/' }] : [],
      )
      await context.close()
    })

    test('the refresh of a closed tab is finished by another tab, with the same key', async () => {
      const context = await browser.newContext()
      const [tab, other] = [await openTab(context), await openTab(context)]
      await logInIn(tab)
      const token = await accessTokenIn(other)
      proxy.keys.clear()
      const leaving = renewIn(tab, token).catch(() => 'closed')
      while (proxy.keys.size === 0) await new Promise((resolve) => setTimeout(resolve, 1))
      await tab.close()
      await leaving
      const deadline = Date.now() + 20_000
      while ((await accessTokenIn(other)) === token) assert.ok(Date.now() < deadline, 'the refresh was not finished')

      assert.equal(proxy.keys.size, 1)
      await context.close()
    })

    test('the session survives a reload', async () => {
      const context = await browser.newContext()
      const tab = await openTab(context)
      await logInIn(tab)
      const token = await accessTokenIn(tab)
      await tab.close()

      assert.notEqual(await accessTokenIn(await openTab(context)), token)
      await context.close()
    })

    test('a logout in one tab ends the session in all tabs', async () => {
      const context = await browser.newContext()
      const [tab, other] = [await openTab(context), await openTab(context)]
      await logInIn(tab)
      await accessTokenIn(other)

      await tab.evaluate('session.logOut()')

      await assert.rejects(accessTokenIn(other), /LoginRequiredError/)
      await context.close()
    })

    test('an origin that is not registered is refused', async () => {
      const elsewhere = new Site(await freePort(), { '/': PAGE, ...CLIENT })
      await elsewhere.start()
      const page = await browser.newPage()
      await page.goto(elsewhere.url)
      const form = `grant_type=password&client_id=spa&username=alice&password=${password}`

      const answered = page.evaluate(
        ([url, body]) => fetch(`${url}/oauth/token`, { method: 'POST', body: new URLSearchParams(body ?? '') }),
        [jeton.issuer, form],
      )

      await assert.rejects(answered, /Failed to fetch/)
      await page.close()
      elsewhere.stop()
    })
  })
