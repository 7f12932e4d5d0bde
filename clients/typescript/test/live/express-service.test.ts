/** examples/express-service requires a token and a role, and notices the end of a session. */

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { TokenSession } from '@jeton/client'
import { Examples } from './examples.js'

const SECONDS = 5
let examples: Examples

before(async () => {
  examples = await Examples.started()
})

after(() => examples?.remove())

async function tokenOf(username: string, scope: string): Promise<{ session: TokenSession; token: string }> {
  const session = new TokenSession({ issuer: examples.jeton.issuer, client: { clientId: 'orders-app' } })
  await session.logIn(username, examples.passwords[username] ?? '', { scope })
  return { session, token: await session.accessToken() }
}

function ask(path: string, token: string | null, method = 'GET'): Promise<Response> {
  return fetch(examples.api + path, { method, headers: token === null ? {} : { authorization: `Bearer ${token}` } })
}

test('the service answers who is authorized, and refuses the others', async () => {
  const [bea, ann, other] = [
    await tokenOf('bea', 'orders'),
    await tokenOf('ann', 'orders'),
    await tokenOf('bea', 'other'),
  ]
  const answers = await Promise.all([
    ask('/orders', ann.token),
    ask('/orders', null),
    ask('/orders', `${bea.token.slice(0, -4)}AAAA`),
    ask('/orders', other.token),
    ask('/orders/o_9', ann.token, 'DELETE'),
    ask('/orders/o_9', bea.token, 'DELETE'),
  ])

  assert.deepEqual(
    answers.map(({ status }) => status),
    [200, 401, 401, 403, 403, 404],
  )
})

test('the service refuses an ended session within five seconds', async () => {
  const { session, token } = await tokenOf('bea', 'orders')
  assert.equal((await ask('/orders', token)).status, 200)
  await session.logOut()
  const begun = Date.now()
  while ((await ask('/orders', token)).status === 200) {
    assert.ok(Date.now() - begun < SECONDS * 1000, 'still admitted')
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
})
