/** A page logs in by redirect: what a tab keeps, and what remains of the redirect in its address. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  AccessDeniedError,
  finishLogInByBrowser,
  InvalidCallbackError,
  logInByBrowser,
  ServerUnavailableError,
  StorageUnusableError,
  TokenSession,
} from '@jeton/client'

const ISSUER = 'https://as.example'
const APP = 'https://app.example'

class Tab {
  readonly kept = new Map<string, string>()
  readonly location = { href: `${APP}/orders?page=2`, assign: (url: string) => this.visited.push(url) }
  readonly visited: string[] = []
  readonly history = {
    state: { scroll: 7 },
    replaceState: (state: unknown, _: string, url: string) => {
      assert.deepEqual(state, { scroll: 7 })
      this.location.href = url
    },
  }
  readonly sessionStorage = {
    getItem: (name: string) => this.kept.get(name) ?? null,
    setItem: (name: string, value: string) => this.kept.set(name, value),
    removeItem: (name: string) => this.kept.delete(name),
  }

  get page() {
    return { page: this }
  }

  /** Come back from the server: with its answer to the last login, or to that of another tab. */
  comeBack(answer: string, { visited }: Tab = this): void {
    const state = new URL(visited.at(-1) ?? '').searchParams.get('state')
    this.location.href = `${APP}/callback?${answer}&state=${state}&iss=${encodeURIComponent(ISSUER)}`
  }
}

/** Return a session that no other object knows, and the codes that it redeems, unless its server is unavailable. */
function newSession(isAvailable = true): { session: TokenSession; codes: unknown[] } {
  const codes: unknown[] = []
  const metadata = { issuer: ISSUER, authorization_endpoint: `${ISSUER}/authorize`, token_endpoint: `${ISSUER}/token` }
  const fetch = async (url: unknown, init?: RequestInit): Promise<Response> => {
    if (url !== metadata.token_endpoint) return Response.json(metadata)
    codes.push(new URLSearchParams(String(init?.body)).get('code'))
    if (!isAvailable) return Response.json({ error: 'temporarily_unavailable' }, { status: 503 })
    return Response.json({ access_token: 'access', token_type: 'Bearer' })
  }
  return { session: new TokenSession({ issuer: ISSUER, client: { clientId: 'spa' }, fetch }), codes }
}

async function begun(tab = new Tab()): Promise<Tab> {
  await logInByBrowser(newSession().session, { redirectUri: `${APP}/callback`, scope: 'read' }, tab.page)
  return tab
}

test('a page that is no redirect is left alone', async () => {
  const [tab, { session, codes }] = [await begun(), newSession()]

  assert.equal(await finishLogInByBrowser(session, tab.page), false)
  assert.equal(tab.location.href, `${APP}/orders?page=2`)
  assert.deepEqual([tab.kept.size, codes], [1, []])
})

test('a redirect starts the session, and the address is again that of the page before', async () => {
  const [tab, { session, codes }] = [await begun(), newSession()]
  tab.comeBack('code=c1')

  assert.equal(await finishLogInByBrowser(session, tab.page), true)

  assert.equal(await session.accessToken(), 'access')
  assert.equal(tab.location.href, `${APP}/orders?page=2`)
  assert.deepEqual([tab.kept.size, codes], [0, ['c1']])
  assert.equal(await finishLogInByBrowser(session, tab.page), false)
})

test('a page that begins the login with a redirect in its address does not keep it', async () => {
  const [tab, { session }] = [new Tab(), newSession()]
  tab.location.href = `${APP}/callback?code=old&state=old&x=1`
  await begun(tab)
  tab.comeBack('code=c1')

  await finishLogInByBrowser(session, tab.page)

  assert.equal(tab.location.href, `${APP}/callback?x=1`)
})

test('a redirect to another tab sends no code', async () => {
  const [tab, other, { session, codes }] = [await begun(), await begun(), newSession()]
  other.comeBack('code=c1', tab)

  await assert.rejects(finishLogInByBrowser(session, other.page), InvalidCallbackError)

  assert.deepEqual([codes, other.location.href], [[], `${APP}/orders?page=2`])
})

test('a redirect to a tab that has begun no login sends no code', async () => {
  for (const kept of [null, 'no JSON', '{}', '{"pending":{},"from":""}']) {
    const [tab, { session, codes }] = [new Tab(), newSession()]
    if (kept !== null) tab.kept.set('jeton.login', kept)
    tab.comeBack('code=c1', await begun())

    await assert.rejects(finishLogInByBrowser(session, tab.page), InvalidCallbackError)

    assert.deepEqual([codes, tab.location.href], [[], `${APP}/callback`])
  }
})

test('a redirect that is handled twice at once is redeemed once', async () => {
  const [tab, { session, codes }] = [await begun(), newSession()]
  tab.comeBack('code=c1')

  const both = await Promise.all([finishLogInByBrowser(session, tab.page), finishLogInByBrowser(session, tab.page)])

  assert.deepEqual([both, codes], [[true, true], ['c1']])
})

test('a refusal by the person is reported as such', async () => {
  const [tab, { session }] = [await begun(), newSession()]
  tab.comeBack('error=access_denied')

  await assert.rejects(finishLogInByBrowser(session, tab.page), AccessDeniedError)

  assert.equal(tab.location.href, `${APP}/orders?page=2`)
})

test('after a lost response the same page is loaded again, and repeats the redemption', async (context) => {
  context.mock.method(globalThis, 'setTimeout', (done: () => void) => setImmediate(done))
  const [tab, away, { session, codes }] = [await begun(), newSession(false), newSession()]
  tab.comeBack('code=c1')
  await assert.rejects(finishLogInByBrowser(away.session, tab.page), ServerUnavailableError)

  assert.equal(await finishLogInByBrowser(session, tab.page), true)

  assert.deepEqual([away.codes.length, codes], [6, ['c1']])
})

test('a tab that cannot remember the login does not leave the page', async () => {
  const tab = new Tab()
  tab.sessionStorage.setItem = () => {
    throw new Error('full')
  }

  await assert.rejects(begun(tab), StorageUnusableError)

  assert.deepEqual(tab.visited, [])
})
