/** Sessions whose refresh token is in a cookie: what is sent, and what is made of the answers. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CookieSession, cookieSession, memoryStorage } from '@jeton/client'
import { ISSUER, SERVER } from './vectors.js'

const { answers } = SERVER
const client = { clientId: 'spa' }

interface Sent {
  url: string
  credentials: string | undefined
  header: string | null
  key: string | null
  form: Record<string, string>
}

/** Return a session at a server that answers in this order after its metadata, and what was sent to it. */
function sessionWith(...responses: (Response | null)[]): { session: CookieSession; sent: Sent[] } {
  return sessionThrough(undefined, ...responses)
}

function sessionThrough(
  through: string | undefined,
  ...responses: (Response | null)[]
): { session: CookieSession; sent: Sent[] } {
  const sent: Sent[] = []
  const fetch = async (url: unknown, { headers, credentials, body }: RequestInit = {}) => {
    if (String(url).includes('.well-known')) return Response.json(answers.metadata.body)
    const form = Object.fromEntries(new URLSearchParams(String(body ?? '')))
    const [header, key] = ['x-jeton', 'idempotency-key'].map((name) => new Headers(headers).get(name))
    sent.push({ url: String(url), credentials, header: header ?? null, key: key ?? null, form })
    const response = responses.shift()
    if (!response) throw new TypeError('lost')
    return response
  }
  return {
    session: new CookieSession({
      issuer: ISSUER,
      client,
      storage: memoryStorage(),
      fetch,
      ...(through && { through }),
    }),
    sent,
  }
}

function tokens(accessToken: string): Response {
  return Response.json({ access_token: accessToken, token_type: 'Bearer', expires_in: 600 })
}

function refusal(error: string, status = 400): Response {
  return Response.json({ error }, { status })
}

test('a page without a stored session renews with the cookie, and sends no refresh token', async () => {
  const { session, sent } = sessionWith(tokens('access-1'))

  assert.equal(await session.accessToken(), 'access-1')
  assert.deepEqual(
    sent.map(({ credentials, header, form }) => [credentials, header, form]),
    [['include', '1', { grant_type: 'refresh_token', client_id: 'spa' }]],
  )
})

test('a lost answer is repeated with the same key', async () => {
  const { session, sent } = sessionWith(null, tokens('access-1'))

  assert.equal(await session.accessToken(), 'access-1')
  assert.equal(sent.length, 2)
  assert.equal(new Set(sent.map(({ key }) => key)).size, 1)
})

test('without a cookie a login is required, and listeners are notified of an end only if there was a session', async () => {
  const { session } = sessionWith(refusal('invalid_grant'), tokens('access-1'), refusal('invalid_grant'))
  let ends = 0
  session.onEnd(() => {
    ends += 1
  })

  await assert.rejects(session.accessToken(), { name: 'LoginRequiredError' })
  assert.equal(ends, 0)
  assert.equal(await session.accessToken(), 'access-1')
  await assert.rejects(session.renew('access-1'), { name: 'LoginRequiredError' })
  assert.equal(ends, 1)
})

test('logging out revokes what the cookie has, also if nothing is stored', async () => {
  const { session, sent } = sessionWith(Response.json({}))

  await session.logOut()

  assert.deepEqual(
    sent.map(({ credentials, header, form }) => [credentials, header, form]),
    [['include', '1', { token_type_hint: 'refresh_token', client_id: 'spa' }]],
  )
})

for (const [body, expected] of [
  [{ signed_in: false }, null],
  [
    { signed_in: true, sub: 'u_1', expires_at: 9, name: 'Alice' },
    { sub: 'u_1', expiresAt: 9, claims: { name: 'Alice' } },
  ],
] as const) {
  test(`the session endpoint tells ${expected === null ? 'that no user is' : 'who is'} signed in`, async () => {
    const { session, sent } = sessionWith(Response.json(body))

    assert.deepEqual(await session.signedIn(), expected)
    assert.deepEqual(
      sent.map(({ url, credentials, header }) => [url, credentials, header]),
      [[`${ISSUER}/oauth/session?client_id=spa`, 'include', '1']],
    )
  })
}

for (const [response, name] of [
  [null, 'ServerUnavailableError'],
  [refusal('server_error', 503), 'ServerUnavailableError'],
  [Response.json({}, { status: 429, headers: { 'retry-after': '7' } }), 'ServerUnavailableError'],
  [refusal('invalid_request', 403), 'RefusedError'],
  [Response.json({ signed_in: 'yes' }), 'RefusedError'],
] as const) {
  test(`no answer about who is signed in: ${name} (${response?.status ?? 'lost'})`, async () => {
    await assert.rejects(sessionWith(response).session.signedIn(), { name })
  })
}

test('behind a web server with forward authentication, requests go through it and there is no access token', async () => {
  const through = 'https://app.example.test'
  const { session, sent } = sessionThrough(
    through,
    Response.json({ token_type: 'Bearer', expires_in: 600 }),
    Response.json({ signed_in: false }),
    Response.json({}),
  )

  assert.equal(await session.accessToken(), '')
  assert.equal(await session.signedIn(), null)
  await session.logOut()
  assert.deepEqual(
    sent.map(({ url }) => new URL(url).origin),
    [through, through, through],
  )
})

test('behind such a web server, listeners are notified of the end, too', async () => {
  const answer = Response.json({ token_type: 'Bearer', expires_in: 600 })
  const { session } = sessionThrough('https://app.example.test', answer, Response.json({}))
  const ends: string[] = []
  session.onEnd(() => ends.push('ended'))
  session.onEnd(() => ends.push('not heard any more'))()

  await session.accessToken()
  await session.logOut()

  assert.deepEqual(ends, ['ended'])
})

test('a storage can be given where tabs cannot share one', () => {
  cookieSession({ issuer: ISSUER, client, storage: memoryStorage() })
})

test('without one, an answer that lacks the access token is no answer', async () => {
  const { session } = sessionWith(Response.json({ token_type: 'Bearer', expires_in: 600 }), refusal('invalid_grant'))

  await assert.rejects(session.accessToken(), { name: 'LoginRequiredError' })
})
