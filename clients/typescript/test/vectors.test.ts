/** The pure core behaves as specified in tests/vectors, like that of Python (tests/vectors/README.md). */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AccessToken, Client, Session } from '@jeton/client'
import { judgeAccessToken, type Rules, readAccessToken } from '@jeton/client/access-token'
import { originOf } from '@jeton/client/addresses'
import { AuthorizationServer } from '@jeton/client/authorization-server'
import { freshSeconds } from '@jeton/client/cached-document'
import { bearerToken, refusal } from '@jeton/client/challenges'
import { credentials } from '@jeton/client/client-authentication'
import * as errors from '@jeton/client/errors'
import { judgeIntrospectionAnswer } from '@jeton/client/introspection'
import { ALGORITHMS, askForKey, keysAnswered, NO_KEYS, parseKeySet, usableKeys } from '@jeton/client/key-set'
import { formEncoded } from '@jeton/client/messages'
import { afterAttempt, hasEnded, Pause, renewAt } from '@jeton/client/session'
import * as statusLists from '@jeton/client/status-list'
import { parseObject } from '@jeton/client/strict-json'
import { judgeRevocationAnswer, judgeTokenAnswer, type Tokens, TryAgain } from '@jeton/client/token-answers'
import * as tokenRequests from '@jeton/client/token-requests'
import { AUDIENCE, ISSUER, START } from './scenario.js'
import { answerOf, camelCase, type Json, read } from './vectors.js'

const RULES: Rules = { issuer: ISSUER, audience: AUDIENCE, algorithms: Object.keys(ALGORITHMS), skewSeconds: 5 }
const KEYS = await parseKeySet(read('public_keys'))
const LIST = 'https://as.example/status/0'

// Unlike browsers, Node before 24 ignores data after a ZLIB stream. Lists are signed, so this is harmless.
const UNSEEN = Number.parseInt(process.versions.node, 10) < 24 ? ['data after the stream'] : []

/** Define one test for each case. */
function each(title: string, cases: Json[], check: (given: Json) => void | Promise<void>): void {
  for (const given of cases) {
    const name = given.name ?? Object.values(given)[0]
    if (!UNSEEN.includes(name)) test(`${title}: ${name}`, async () => check(given))
  }
}

/** Return the cases with their answer: as it is, or the members of the base that it changes. */
function withBase({ base, cases }: Json): Json[] {
  return cases.map(({ with: changed = {}, without = [], ...given }: Json) => {
    const members = Object.entries({ ...base, ...changed }).filter(([name]) => !without.includes(name))
    return { answer: { body: Object.fromEntries(members) }, ...given }
  })
}

each('addresses', read('addresses'), ({ url, origin }) => {
  if (origin === undefined) assert.throws(() => originOf(url), errors.UntrustedServerError)
  else assert.equal(originOf(url), origin)
})

each('client authentication', read('client_authentication'), (given) => {
  const { client_id: clientId, secret, method, form = {}, authorization, error } = given
  const client: Client = { clientId, ...(secret && { secret }), ...(method && { method }) }
  if (error) assert.throws(() => credentials(client), TypeError)
  else assert.deepEqual(credentials(client), { headers: authorization ? { authorization } : {}, form })
})

each('token requests', read('token_requests'), ({ call, with: values, headers = {}, body }) => {
  const endpoint = 'https://as.example/token'
  const client = { clientId: 'web', secret: 's', method: 'client_secret_post' }
  const usual = { accept: 'application/json', 'content-type': 'application/x-www-form-urlencoded' }

  const request = (tokenRequests as Json)[camelCase(call)](endpoint, client, ...values)

  assert.deepEqual([request.method, request.url, request.headers], ['POST', endpoint, { ...usual, ...headers }])
  assert.equal(formEncoded(request.form), body)
})

/** Return the requested URLs, and the metadata or the error. */
async function discovered(issuer: string, answers: Json[]): Promise<[string[], Json]> {
  const urls: string[] = []
  const send = async ({ url }: { url: string }) => answerOf(answers[urls.push(url) - 1])
  const metadata = (async () => new AuthorizationServer(issuer, send).metadata())()
  return [urls, await metadata.catch((error) => error)]
}

each('locations of metadata', read('discovery').locations, async ({ issuer, urls = [] }) => {
  const [requested, outcome] = await discovered(issuer, Array(3).fill({ status: 404 }))

  assert.deepEqual([requested, outcome.name], [urls, urls.length ? 'ServerUnavailableError' : 'UntrustedServerError'])
})

each('discovery', read('discovery').cases, async ({ answers: names, error }) => {
  const { answers, locations, endpoints } = read('discovery')
  const expected = Object.fromEntries(Object.entries(endpoints).map(([name, url]) => [camelCase(name), url]))

  const [requested, outcome] = await discovered(
    ISSUER,
    names.map((name: string) => answers[name]),
  )

  assert.deepEqual(requested, locations[0].urls.slice(0, names.length))
  if (error === undefined) assert.deepEqual(outcome, { issuer: ISSUER, ...expected })
  else assert.equal(outcome.name, error)
})

each('token answers', [...withBase(read('token_answers')), ...read('failures')], ({ answer, expect }) => {
  const result = resultOf(judgeTokenAnswer(answerOf(answer), 1000))

  assert.deepEqual(Object.fromEntries(Object.keys(expect).map((name) => [name, result[name]])), expect)
})

const REVOKED = { name: 'revoked', answer: {}, expect: { revoked: true } }
const ACCEPTED = { name: 'another success', answer: { status: 202 }, expect: { try_again: null } }

each('revocation answers', [REVOKED, ACCEPTED, ...read('failures')], ({ answer, expect }) => {
  assert.deepEqual(resultOf(judgeRevocationAnswer(answerOf(answer))), expect)
})

function resultOf(judged: Tokens | TryAgain | errors.RefusedError | null): Json {
  if (judged === null) return { revoked: true }
  if (judged instanceof TryAgain) return { try_again: judged.after }
  if (judged instanceof errors.RefusedError) return { refused: judged.error, description: judged.description }
  const { accessToken: access_token, expiresAt: expires_at, refreshToken: refresh_token, scope } = judged
  return { access_token, expires_at, refresh_token, scope }
}

/** Return tokens that were received at 1000. */
function tokensOf(accessToken: string, expiresAt: number | null, refreshToken: string | null): Tokens {
  return { accessToken, receivedAt: 1000, expiresAt, refreshToken, scope: 'read' }
}

each('renewal times', read('renewal_times'), ({ expires_at: expiresAt, jitter, renew_at: at, ended_at: endedAt }) => {
  const tokens = tokensOf('a1', expiresAt, 'r1')

  assert.equal(renewAt(tokens, jitter), at ?? Number.POSITIVE_INFINITY)
  assert.equal(hasEnded(tokens, 1e12), endedAt !== null)
  if (endedAt !== null) assert.deepEqual([hasEnded(tokens, endedAt - 0.01), hasEnded(tokens, endedAt)], [false, true])
})

each('attempts', read('attempts'), (given) => {
  const { grant = 'password', attempt, max_attempts: most = 6, jitter = 0, answer, expect } = given
  const pending = grant === 'password' ? { idempotencyKey: 'k1', begunAt: 1550 } : null
  const session: Session = { tokens: tokensOf('a1', 1600, 'r1'), grant, scope: 'read', pending }

  const outcome = afterAttempt(session, judgedOf(answer), attempt, most, jitter)

  if (outcome instanceof Pause) assert.deepEqual({ pause: outcome.seconds }, expect)
  else if (outcome instanceof errors.ServerUnavailableError) {
    assert.deepEqual({ unavailable: outcome.retryAfter }, expect)
  } else if (outcome instanceof errors.LoginRequiredError) assert.deepEqual({ login_required: true }, expect)
  else if (outcome instanceof errors.RefusedError) assert.deepEqual({ refused: outcome.error }, expect)
  else assert.deepEqual(outcome, { ...session, tokens: tokensOf('a2', 2150, expect.refresh_token), pending: null })
})

function judgedOf({ tokens, try_again: after, refused }: Json): Tokens | TryAgain | errors.RefusedError {
  if (tokens !== undefined) return tokensOf('a2', 2150, tokens)
  return refused === undefined ? new TryAgain(after) : new errors.RefusedError(refused)
}

each('strict JSON', read('strict_json'), ({ text, object }) => {
  if (object === undefined) assert.throws(() => parseObject(text), SyntaxError)
  else assert.deepEqual(parseObject(text), object)
})

each('fresh seconds', read('fresh_seconds'), ({ headers, seconds }) => {
  assert.equal(freshSeconds(headers, 300), seconds)
})

each('usable keys', read('usable_keys'), async ({ jwk, algorithms }) => {
  const keys = await parseKeySet({ keys: [jwk] })

  assert.deepEqual([...keys.values()].flatMap(({ byAlgorithm }) => [...byAlgorithm.keys()]).sort(), algorithms)
})

each('key set', read('key_set'), async ({ steps }) => {
  let [before, cached] = [NO_KEYS, NO_KEYS]
  for (const { at, kid, ask, known, unchanged, answer } of steps) {
    if (kid === undefined) {
      ;[before, cached] = [cached, await keysAnswered(cached, answerOf(answer), at)]
      continue
    }
    const isKnown = usableKeys(cached, at)?.has(kid) ?? false
    assert.deepEqual([askForKey(cached, kid, at), isKnown], [ask, known], `at ${at}`)
    if (unchanged) assert.equal(cached.keys, before.keys)
  }
})

each('access tokens', read('access_tokens'), ({ token, expect }) =>
  checkToken(expect, async () => judgeAccessToken(readAccessToken(token, RULES), RULES, KEYS, START)),
)

each('introspection answers', withBase(read('introspection_answers')), ({ answer, expect }) =>
  checkToken(expect, async () => judgeIntrospectionAnswer(answerOf(answer), ISSUER, AUDIENCE, START, 5)),
)

/** Check the reason of the rejection, or the values that differ from those of the valid token. */
async function checkToken(expect: Json = {}, judge: () => Promise<AccessToken>): Promise<void> {
  if (expect.unavailable) return assert.rejects(judge, errors.VerificationUnavailableError)
  if (expect.reason) return assert.rejects(judge, { name: 'InvalidTokenError', reason: expect.reason })
  const { subject, clientId: client_id, scope, roles, expiresAt, status } = await judge()
  const expires_at = expiresAt === Number.POSITIVE_INFINITY ? null : expiresAt
  const usual = { subject: 'u_1', client_id: 'web', scope: ['read', 'write'], roles: [], status: null }
  assert.deepEqual(
    { subject, client_id, scope: [...scope].sort(), roles, expires_at, status },
    { ...usual, expires_at: START + 590, ...expect },
  )
}

each('status lists', read('status_lists'), async ({ list, statuses }) => {
  if (statuses === undefined) return assert.rejects(statusLists.decodeStatusList(list), TypeError)
  const decoded = await statusLists.decodeStatusList(list)
  for (const [idx, status] of statuses) assert.equal(statusLists.statusAt(decoded, idx), status, `index ${idx}`)
})

each('status list tokens', read('status_list_tokens'), async ({ token, expect: { reason, ttl } }) => {
  const judge = async () => {
    const unverified = statusLists.readStatusListToken({ status: 200, headers: {}, body: token }, RULES)
    return statusLists.judgeStatusListToken(unverified, LIST, RULES, KEYS, START)
  }
  if (reason !== undefined) return assert.rejects(judge, { name: 'InvalidTokenError', reason })
  const published = await judge()

  assert.deepEqual([published.issuedAt, published.ttl], [START, ttl])
  const statuses = [0, 1, 15].map((idx) => statusLists.statusAt(published.statusList, idx))
  assert.deepEqual(statuses, [1, 0, 1])
})

each('status list cache', read('status_list_cache'), async ({ steps }) => {
  let cached = statusLists.noList(LIST)
  for (const { at, ask, status, answer } of steps) {
    if (ask === undefined) {
      cached = await statusLists.listAnswered(cached, answerOf(answer), RULES, KEYS, at, START + at)
      continue
    }
    const { statusList } = cached
    const seen = statusList && statusLists.isUsable(cached, at, 60) ? statusLists.statusAt(statusList, 0) : null
    assert.deepEqual([statusLists.askForList(cached, at), seen], [ask, status], `at ${at}`)
  }
})

each('bearer tokens', read('bearer_tokens'), ({ authorization, token }) => {
  if (token === undefined) assert.throws(() => bearerToken(authorization), errors.MalformedRequestError)
  else assert.equal(bearerToken(authorization), token)
})

each('challenges', read('challenges'), ({ realm = 'api', why, status, error, headers }) => {
  const [name, ...values] = why ?? []

  assert.deepEqual(refusal(realm, name ? new (errors as Json)[name](...values) : null), { status, error, headers })
})
