/** The web app of the examples logs users in: against an issuer in memory, whose ID tokens are signed for each login. */

import assert from 'node:assert/strict'
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { importJWK, SignJWT } from 'jose'
import { type Json, read } from './vectors.js'

const PACKAGE = new URL('../../', import.meta.url).pathname
const EXAMPLE = new URL('../../../../examples/express-web-app/app.js', import.meta.url).pathname
const ISSUER = 'https://as.example'
const APP = 'https://app.example'
const KEY = await importJWK(
  read('signing_keys').find(({ kid }: Json) => kid === 'one'),
  'RS256',
)

const folder = mkdtempSync(join(tmpdir(), 'web-app-'))
after(() => rmSync(folder, { recursive: true }))
mkdirSync(join(folder, 'node_modules', '@jeton'), { recursive: true })
symlinkSync(PACKAGE, join(folder, 'node_modules', '@jeton', 'client'))
symlinkSync(join(PACKAGE, 'node_modules', 'express'), join(folder, 'node_modules', 'express'))
cpSync(EXAMPLE, join(folder, 'app.mjs'))
const { createApp } = await import(pathToFileURL(join(folder, 'app.mjs')).href)

/** A browser at the app, with cookies, and the issuer, whose ID tokens have the claims `changed`. */
class Browser {
  readonly cookies = new Map<string, string>()
  redemptions = 0
  flags: string[] = []
  readonly #origin: string
  readonly #changed: object
  #asked = new URLSearchParams()

  constructor(origin: string, changed: object) {
    this.#origin = origin
    this.#changed = changed
  }

  static async run(work: (browser: Browser) => Promise<void>, changed: object = {}): Promise<void> {
    let browser: Browser | null = null
    const fetch = (url: string) => (browser as Browser).answer(url)
    const app = createApp({ issuer: ISSUER, address: APP, client: { clientId: 'web-app', secret: 's' }, fetch })
    const server = app.listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    browser = new Browser(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, changed)
    await work(browser).finally(() => server.close())
  }

  async get(path: string): Promise<Response> {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const response = await fetch(this.#origin + path, { headers: { cookie, connection: 'close' }, redirect: 'manual' })
    this.flags = response.headers.getSetCookie()
    for (const text of this.flags) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(text) ?? []
      if (value === '') this.cookies.delete(name)
      else this.cookies.set(name, value)
    }
    return response
  }

  /** Begin a login, and come back with a response in which these parameters are changed. */
  async comeBack(changed: Record<string, string> = {}): Promise<Response> {
    this.#asked = new URL((await this.get('/log-in')).headers.get('location') ?? '').searchParams
    const answer = { code: 'c', state: this.#asked.get('state') ?? '', iss: ISSUER, ...changed }
    return this.get(`/callback?${new URLSearchParams(answer)}`)
  }

  /** Answer a request of the app to the issuer. */
  async answer(url: string): Promise<Response> {
    if (url.endsWith('/keys')) return Response.json(read('public_keys'))
    if (!url.endsWith('/token')) {
      const endpoints = { authorization_endpoint: `${ISSUER}/authorize`, token_endpoint: `${ISSUER}/token` }
      return Response.json({ issuer: ISSUER, jwks_uri: `${ISSUER}/keys`, ...endpoints })
    }
    this.redemptions += 1
    const now = Math.floor(Date.now() / 1000)
    const claims = { iss: ISSUER, aud: 'web-app', sub: 'u_1', iat: now, exp: now + 60, nonce: this.#asked.get('nonce') }
    const signed = new SignJWT({ ...claims, ...this.#changed }).setProtectedHeader({ alg: 'RS256', kid: 'one' })
    return Response.json({ access_token: 'a', token_type: 'Bearer', id_token: await signed.sign(KEY) })
  }
}

test('a user logs in', () =>
  Browser.run(async (browser) => {
    assert.equal((await browser.get('/')).headers.get('location'), '/log-in')

    const answer = await browser.comeBack()

    assert.deepEqual([answer.status, answer.headers.get('location')], [303, '/'])
    assert.match(browser.flags[0] ?? '', /Path=\/; .*HttpOnly; Secure; SameSite=Lax/)
    assert.deepEqual([...browser.cookies.keys()], ['__Host-session'])
    assert.equal(await (await browser.get('/')).text(), 'Hello u_1')
  }))

for (const changed of [{ state: 'another' }, { iss: 'https://evil.example' }]) {
  test(`a redirect with another ${Object.keys(changed)} logs no user in`, () =>
    Browser.run(async (browser) => {
      assert.equal((await browser.comeBack(changed)).status, 400)
      assert.equal(browser.redemptions, 0)
      assert.equal((await browser.get('/')).status, 303)
    }))
}

test('a redirect to another browser logs no user in', () =>
  Browser.run(async (browser) => {
    const answer = await browser.get(`/callback?code=c&state=s&iss=${encodeURIComponent(ISSUER)}`)

    assert.deepEqual([answer.status, browser.redemptions], [400, 0])
  }))

for (const changed of [{ nonce: 'another' }, { aud: 'other' }]) {
  test(`an ID token with another ${Object.keys(changed)} logs no user in`, () =>
    Browser.run(async (browser) => {
      assert.equal((await browser.comeBack()).status, 400)
      assert.equal(browser.redemptions, 1)
      assert.equal((await browser.get('/')).status, 303)
    }, changed))
}
