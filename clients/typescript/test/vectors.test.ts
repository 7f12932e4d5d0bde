/** The core passes tests/vectors, like the Python core (tests/vectors/README.md). */

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
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
import { type Answer, formEncoded } from '@jeton/client/messages'
import { afterAttempt, hasEnded, Pause, renewAt } from '@jeton/client/session'
import {
  askForList,
  decodeStatusList,
  isUsable,
  judgeStatusListToken,
  listAnswered,
  noList,
  readStatusListToken,
  statusAt,
} from '@jeton/client/status-list'
import { parseObject } from '@jeton/client/strict-json'
import { judgeRevocationAnswer, judgeTokenAnswer, type Tokens, TryAgain } from '@jeton/client/token-answers'
import * as tokenRequests from '@jeton/client/token-requests'

// The vectors are untyped JSON: a wrong type fails its case.
// biome-ignore lint/suspicious/noExplicitAny: see above
type Json = any

const FOLDER = new URL('../../../../tests/vectors/', import.meta.url)
const ISSUER = 'https://as.example/tenant'
const AUDIENCE = 'https://api.example'
const RULES: Rules = { issuer: ISSUER, audience: AUDIENCE, algorithms: Object.keys(ALGORITHMS), skewSeconds: 5 }
const KEYS = await parseKeySet(read('public_keys'))

function read(name: string): Json {
  return JSON.parse(readFileSync(new URL(`${name}.json`, FOLDER), 'utf8'))
}

// Unlike browsers, Node before 24 ignores data after a ZLIB stream. Lists are signed, so this is harmless.
const UNSEEN = Number.parseInt(process.versions.node, 10) < 24 ? ['something behind the stream'] : []

/** Define one test for each case of a file. */
function cases(file: string, check: (given: Json, expect: Json) => void | Promise<void>): void {
  for (const { name, given, expect } of read(file)) {
    if (!UNSEEN.includes(name)) test(`${file}: ${name}`, async () => check(given, expect))
  }
}

cases('addresses', ({ url }, expect) => {
  if (expect.error) assert.throws(() => originOf(url), errors.UntrustedServerError)
  else assert.equal(originOf(url), expect.origin)
})

cases('client_authentication', (given, expect) => {
  if (expect.error) assert.throws(() => credentials(clientOf(given)), TypeError)
  else assert.deepEqual(credentials(clientOf(given)), expect)
})

function clientOf({ client_id: clientId, secret, method }: Json): Client {
  return { clientId, ...(secret !== null && { secret }), ...(method !== null && { method }) }
}

cases('token_requests', ({ call, endpoint, client, ...given }, expect) => {
  const by = clientOf(client)
  const calls: Record<string, () => ReturnType<typeof tokenRequests.introspect>> = {
    log_in: () => tokenRequests.logIn(endpoint, by, given.username, given.password, given.scope),
    log_in_as_client: () => tokenRequests.logInAsClient(endpoint, by, given.scope),
    refresh: () => tokenRequests.refresh(endpoint, by, given.refresh_token, given.idempotency_key),
    revoke: () => tokenRequests.revoke(endpoint, by, given.token, given.hint),
    introspect: () => tokenRequests.introspect(endpoint, by, given.token),
  }
  const request = calls[call]?.()
  assert.ok(request?.form)
  const { method, url, headers, form } = request

  assert.deepEqual({ method, url, headers, body: formEncoded(form) }, expect)
})

cases('discovery', async ({ issuer, answers }, expect) => {
  const asked: string[] = []
  const discover = async () => {
    const send = async ({ url }: { url: string }) => answers[asked.push(url) - 1]
    return new AuthorizationServer(issuer, send).metadata()
  }
  if (expect.error) {
    const thrown: Json = { untrusted_server: errors.UntrustedServerError, server_away: errors.ServerUnavailableError }
    await assert.rejects(discover, thrown[expect.error])
  } else {
    const metadata: Json = await discover()
    for (const [name, url] of Object.entries(expect.endpoints)) assert.equal(metadata[camelCase(name)], url)
  }
  assert.deepEqual(asked, expect.request_urls ?? [])
})

function camelCase(name: string): string {
  return name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase())
}

cases('token_answers', ({ answer, asked_at: askedAt }, expect) => {
  assert.deepEqual(told(judgeTokenAnswer(answer, askedAt)), expect)
})

cases('revocation_answers', ({ answer }, expect) => {
  assert.deepEqual(told(judgeRevocationAnswer(answer)), expect)
})

function told(judged: Tokens | TryAgain | errors.RefusedError | null): Json {
  if (judged === null) return { revoked: true }
  if (judged instanceof TryAgain) return { try_again: { after: judged.after } }
  if (judged instanceof errors.RefusedError) {
    const { error, description } = judged
    return { refused: error === 'unsupported_token_type' ? { error } : { error, description } }
  }
  const { accessToken: access_token, expiresAt: expires_at, refreshToken: refresh_token, scope } = judged
  return { tokens: { access_token, expires_at, refresh_token, scope } }
}

cases('renewal_times', (given, expect) => {
  const tokens = tokensOf({ access_token: 'a1', refresh_token: null, scope: null, ...given })

  assert.equal(renewAt(tokens, given.jitter), expect.renew_at ?? Number.POSITIVE_INFINITY)
  assert.equal(hasEnded(tokens, 1e12), expect.ended_at !== null)
  if (expect.ended_at === null) return
  assert.deepEqual([hasEnded(tokens, expect.ended_at - 0.01), hasEnded(tokens, expect.ended_at)], [false, true])
})

function tokensOf(members: Json): Tokens {
  return {
    accessToken: members.access_token,
    receivedAt: members.received_at,
    expiresAt: members.expires_at,
    refreshToken: members.refresh_token,
    scope: members.scope,
  }
}

cases('renewals', ({ session, judged, attempt, most, jitter }, expect) => {
  const outcome = afterAttempt(sessionOf(session), judgedOf(judged), attempt, most, jitter)

  if (outcome instanceof Pause) assert.deepEqual({ pause: outcome.seconds }, expect)
  else if (outcome instanceof errors.ServerUnavailableError) {
    assert.deepEqual({ server_away: { retry_after: outcome.retryAfter } }, expect)
  } else if (outcome instanceof errors.LoginRequiredError) assert.deepEqual({ login_required: true }, expect)
  else if (outcome instanceof errors.RefusedError) assert.deepEqual(told(outcome), expect)
  else assert.deepEqual(outcome, sessionOf(expect.session))
})

function sessionOf({ tokens, grant, scope, pending }: Json): Session {
  const under = pending && { idempotencyKey: pending.idempotency_key, begunAt: pending.begun_at }
  return { tokens: tokensOf(tokens), grant, scope, pending: under }
}

function judgedOf({ tokens, try_again: tryAgain, refused }: Json): Tokens | TryAgain | errors.RefusedError {
  if (tokens) return tokensOf(tokens)
  return tryAgain ? new TryAgain(tryAgain.after) : new errors.RefusedError(refused.error, refused.description)
}

cases('strict_json', ({ text }, expect) => {
  if (expect.error) assert.throws(() => parseObject(text), SyntaxError)
  else assert.deepEqual(parseObject(text), expect.object)
})

cases('fresh_seconds', ({ headers, default: unsaid }, expect) => {
  assert.equal(freshSeconds(headers, unsaid), expect.seconds)
})

cases('usable_keys', async ({ jwk }, expect) => {
  const keys = await parseKeySet({ keys: [jwk] })

  assert.deepEqual([...keys.values()].flatMap(({ byAlgorithm }) => [...byAlgorithm.keys()]).sort(), expect.algorithms)
})

cases('key_set', async ({ steps }) => {
  let cached = NO_KEYS
  for (const { at, kid, ask, known, answer } of steps) {
    if (kid === undefined) cached = await keysAnswered(cached, answer, at)
    else
      assert.deepEqual(
        [askForKey(cached, kid, at), usableKeys(cached, at)?.has(kid) ?? false],
        [ask, known],
        `at ${at}`,
      )
  }
})

cases('access_tokens', ({ token, now }, expect) =>
  checkToken(expect, async () => judgeAccessToken(readAccessToken(token, RULES), RULES, KEYS, now)),
)

cases('introspection_answers', ({ answer, now }, expect) =>
  checkToken(expect, async () => judgeIntrospectionAnswer(answer, ISSUER, AUDIENCE, now, RULES.skewSeconds)),
)

async function checkToken(expect: Json, judge: () => Promise<AccessToken>): Promise<void> {
  if (expect.unverifiable) return assert.rejects(judge, errors.VerificationUnavailableError)
  if (expect.reason) return assert.rejects(judge, { name: 'InvalidTokenError', reason: expect.reason })
  const { subject, clientId: client_id, scope, roles, expiresAt, status } = await judge()
  const expires_at = expiresAt === Number.POSITIVE_INFINITY ? null : expiresAt
  assert.deepEqual({ subject, client_id, scope: [...scope].sort(), roles, expires_at, status }, expect)
}

cases('status_lists', async (given, expect) => {
  if (expect.error) return assert.rejects(decodeStatusList(given), TypeError)
  const list = await decodeStatusList(given)
  for (const [idx, status] of expect.statuses) assert.equal(statusAt(list, idx), status, `index ${idx}`)
})

cases('status_list_tokens', async ({ token, uri, now }, expect) => {
  const answer: Answer = { status: 200, headers: {}, body: token }
  const judge = async () => judgeStatusListToken(readStatusListToken(answer, RULES), uri, RULES, KEYS, now)
  if (expect.reason) return assert.rejects(judge, { name: 'InvalidTokenError', reason: expect.reason })
  const { statusList, issuedAt, ttl } = await judge()

  assert.deepEqual([issuedAt, ttl], [expect.issued_at, expect.ttl])
  for (const [idx, status] of expect.statuses) assert.equal(statusAt(statusList, idx), status, `index ${idx}`)
})

cases('status_list_cache', async ({ uri, wall, max_stale_seconds: maxStale, idx, steps }) => {
  let cached = noList(uri)
  for (const { at, ask, status, answer } of steps) {
    if (ask === undefined) {
      cached = await listAnswered(cached, answer, RULES, KEYS, at, wall + at)
      continue
    }
    const seen = cached.statusList && isUsable(cached, at, maxStale) ? statusAt(cached.statusList, idx) : null
    assert.deepEqual([askForList(cached, at), seen], [ask, status], `at ${at}`)
  }
})

cases('bearer_tokens', ({ authorization }, expect) => {
  if (expect.error) assert.throws(() => bearerToken(authorization), errors.MalformedRequestError)
  else assert.equal(bearerToken(authorization), expect.token)
})

cases('challenges', ({ realm, why }, expect) => {
  assert.deepEqual(refusal(realm, why && thrown(why)), expect)
})

function thrown(why: Json): errors.ClientError {
  if (why.error === 'invalid_token') return new errors.InvalidTokenError(why.reason)
  if (why.error === 'insufficient_scope') return new errors.InsufficientScopeError(why.scope)
  if (why.error === 'malformed_request') return new errors.MalformedRequestError('malformed')
  if (why.error === 'unverifiable') return new errors.VerificationUnavailableError('away', why.retry_after)
  return new errors.UntrustedServerError('http')
}
