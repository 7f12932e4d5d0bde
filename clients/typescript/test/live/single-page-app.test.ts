/** examples/single-page-app in a real browser: logs in, stays logged in, and stores no access token. */

import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { launchBrowser, noBrowser } from './browser.js'
import { Examples } from './examples.js'

describe('the single-page app', { skip: noBrowser }, () => {
  let examples: Examples
  let browser: Browser
  let context: BrowserContext
  let page: Page

  before(async () => {
    examples = await Examples.started()
    browser = await launchBrowser()
  })

  after(async () => {
    await browser?.close()
    await examples?.remove()
  })

  beforeEach(async () => {
    await context?.close()
    context = await browser.newContext()
    page = await context.newPage()
    page.setDefaultTimeout(20_000)
  })

  async function logIn(password = examples.passwords.bea ?? ''): Promise<void> {
    await page.goto(examples.app)
    await page.getByLabel('Name').fill('bea')
    await page.getByLabel('Password').fill(password)
    await page.getByRole('button', { name: 'Log in' }).click()
  }

  test('the page logs in, shows orders, and stays logged in after a reload', async () => {
    await logIn()
    await page.getByText('three apples').waitFor()
    await page.reload()

    await page.getByText('three apples').waitFor()
  })

  test('no storage and no cookie contains an access token', async () => {
    const tokens: string[] = []
    page.on('request', (request) => tokens.push(request.headers().authorization?.replace('Bearer ', '') ?? ''))
    await logIn()
    await page.getByText('three apples').waitFor()
    const token = tokens.find((one) => one !== '')
    assert.ok(token)

    assert.ok(!JSON.stringify(await context.storageState({ indexedDB: true })).includes(token))
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
    await page.getByLabel('Password').waitFor()
    await second.getByRole('button', { name: 'Look again' }).click()

    await second.getByLabel('Password').waitFor()
    assert.equal(refreshes, 0)
  })

  test('a wrong password is reported', async () => {
    await logIn('not the password at all')

    await page.getByText('The user name or password is wrong.').waitFor()
  })

  test('a session that an administrator ended requires a login', async () => {
    await logIn()
    await page.getByText('three apples').waitFor()
    await examples.jeton.run('session', 'revoke', '--user', 'bea')
    await page.reload()

    await page.getByLabel('Password').waitFor()
  })
})
