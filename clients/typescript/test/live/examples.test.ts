/** The examples: the Express service requires tokens and roles; the single-page app, in a real browser, has a session. */

import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import { TokenSession } from '@jeton/client'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { launchBrowser, noBrowser } from './browser.js'
import { Examples } from './examples.js'

const SECONDS = 5
let examples: Examples

before(async () => {
  examples = await Examples.started()
})

after(() => examples?.remove())

describe('the Express service', () => {
  async function loggedIn(username: string, scope: string): Promise<{ session: TokenSession; token: string }> {
    const session = new TokenSession({ issuer: examples.jeton.issuer, client: { clientId: 'orders-tests' } })
    await session.logIn(username, examples.passwords[username] ?? '', { scope })
    return { session, token: await session.accessToken() }
  }

  async function status(path: string, token: string | null, method = 'GET'): Promise<number> {
    const headers = token === null ? {} : { authorization: `Bearer ${token}` }
    return (await fetch(examples.api + path, { method, headers })).status
  }

  test('it requires a token, its scope and for some operations a role', async () => {
    const [bea, ann, other] = [
      await loggedIn('bea', 'orders'),
      await loggedIn('ann', 'orders'),
      await loggedIn('bea', 'other'),
    ]
    assert.equal(await status('/orders', ann.token), 200)
    assert.equal(await status('/orders', null), 401)
    assert.equal(await status('/orders', `${bea.token.slice(0, -4)}AAAA`), 401)
    assert.equal(await status('/orders', other.token), 403)
    assert.equal(await status('/orders/o_9', ann.token, 'DELETE'), 403)
    assert.equal(await status('/orders/o_9', bea.token, 'DELETE'), 404)
  })

  test('it refuses an ended session within five seconds', async () => {
    const { session, token } = await loggedIn('bea', 'orders')
    assert.equal(await status('/orders', token), 200)
    await session.logOut()
    const begun = Date.now()
    while ((await status('/orders', token)) === 200) {
      assert.ok(Date.now() - begun < SECONDS * 1000, 'still admitted')
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  })
})

describe('the single-page app', { skip: noBrowser }, () => {
  let browser: Browser
  let context: BrowserContext
  let page: Page

  before(async () => {
    browser = await launchBrowser()
  })

  after(() => browser?.close())

  beforeEach(async () => {
    await context?.close()
    context = await browser.newContext()
    page = await context.newPage()
    page.setDefaultTimeout(20_000)
  })

  /** Log in at the server's pages, from this tab. */
  async function logIn(decision: 'allow' | 'deny' = 'allow'): Promise<void> {
    await page.goto(`${examples.app}/?from=here`)
    await page.getByRole('button', { name: 'Log in' }).click()
    await page.locator('input[name=username]').fill('bea')
    await page.locator('input[name=password]').fill(examples.passwords.bea ?? '')
    await page.locator('input[name=password]').press('Enter')
    await page.locator(`button[name=decision][value=${decision}]`).click()
  }

  test('it logs in, stays logged in after a reload, and stores no access token', async () => {
    const tokens: string[] = []
    page.on('request', (request) => tokens.push(request.headers().authorization?.replace('Bearer ', '') ?? ''))
    await logIn()
    await page.getByText('three apples').waitFor()
    const token = tokens.find((one) => one !== '')
    assert.ok(token)
    assert.ok(!JSON.stringify(await context.storageState({ indexedDB: true })).includes(token))

    assert.equal(page.url(), `${examples.app}/?from=here`)
    assert.equal(await page.evaluate('sessionStorage.length'), 0)

    await page.reload()

    await page.getByText('three apples').waitFor()
  })

  test('two tabs log in at the same time, each with its own redirect', async () => {
    const other = await context.newPage()
    await other.goto(examples.app)
    await other.getByRole('button', { name: 'Log in' }).click()
    await other.locator('input[name=username]').waitFor()
    await logIn()
    await page.getByText('three apples').waitFor()

    await other.locator('input[name=username]').fill('bea')
    await other.locator('input[name=password]').fill(examples.passwords.bea ?? '')
    await other.locator('input[name=password]').press('Enter')
    await other.locator('button[name=decision][value=allow]').click() // an app on loopback: not by remembered consent

    await other.getByText('three apples').waitFor()
  })

  test('a redirect that this tab has not begun starts no session', async () => {
    await page.goto(`${examples.app}/callback?code=c&state=s&iss=${encodeURIComponent(examples.jeton.issuer)}`)

    await page.getByText('This login was not begun in this tab').waitFor()
    assert.equal(page.url(), `${examples.app}/callback`)
  })

  test('a second tab is logged in without a refresh, and logged out with the first', async () => {
    await logIn()
    await page.getByText('three apples').waitFor()
    const second = await context.newPage()
    let refreshes = 0
    second.on('request', (request) => {
      if (request.url().endsWith('/oauth/token')) refreshes += 1
    })
    await second.goto(examples.app)
    await second.getByText('three apples').waitFor()
    await page.getByRole('button', { name: 'Log out' }).click()
    await page.getByRole('button', { name: 'Log in' }).waitFor()

    await second.getByRole('button', { name: 'Log in' }).waitFor()
    assert.equal(refreshes, 0)
  })

  test('it reports that the person refused', async () => {
    await logIn('deny')

    await page.getByText('You have not allowed this app to see your orders.').waitFor()
  })

  test('it asks for a login after an administrator ended the session', async () => {
    await logIn()
    await page.getByText('three apples').waitFor()
    await examples.jeton.run('session', 'revoke', '--user', 'bea')
    await page.reload()

    await page.getByRole('button', { name: 'Log in' }).waitFor()
  })
})
