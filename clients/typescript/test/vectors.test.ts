/** The pure core behaves as specified in tests/vectors, like that of Python (tests/vectors/README.md). */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Client } from '@jeton/client'
import { judgeAccessToken, type Rules, readAccessToken } from '@jeton/client/access-token'
import { originOf } from '@jeton/client/addresses'
import { MAX_ATTEMPTS, pause } from '@jeton/client/attempts'
import {
  authorizationUrl,
  isPendingAuthorization,
  type PendingAuthorization,
} from '@jeton/client/authorization-request'
import { freshSeconds } from '@jeton/client/cached-document'
import { checkLogoutCallback, codeIn } from '@jeton/client/callback'
import { presentedToken, refusal } from '@jeton/client/challenges'
import { credentials } from '@jeton/client/client-authentication'
import { metadataRequests } from '@jeton/client/discovery'
import { DPoPNonces } from '@jeton/client/dpop-nonces'
import { judgeProof, PROOF_ALGORITHMS } from '@jeton/client/dpop-proof'
import * as errors from '@jeton/client/errors'
import { type IdTokenRules, judgeIdToken, judgeLogoutToken, readIdToken, readLogoutToken } from '@jeton/client/id-token'
import { judgeIntrospectionAnswer } from '@jeton/client/introspection'
import { ALGORITHMS, askForKey, keysAnswered, NO_KEYS, parseKeySet, usableKeys } from '@jeton/client/key-set'
import { logoutUrl } from '@jeton/client/logout-request'
import { formEncoded } from '@jeton/client/messages'
import { hasEnded, renewAt } from '@jeton/client/session'
import * as statusLists from '@jeton/client/status-list'
import { parseObject } from '@jeton/client/strict-json'
import { judgeRevocationAnswer, judgeTokenAnswer, type Tokens, TryAgain } from '@jeton/client/token-answers'
import * as tokenRequests from '@jeton/client/token-requests'
import {
  AUDIENCE,
  answerOf,
  camelCase,
  camelCased,
  check,
  ISSUER,
  type Json,
  jwkOf,
  read,
  resourceOf,
  START,
  snakeCased,
} from './vectors.js'

const RULES: Rules = { issuer: ISSUER, audience: AUDIENCE, algorithms: Object.keys(ALGORITHMS), skewSeconds: 5 }
const KEYS = await parseKeySet(read('public_keys'))
const LIST = 'https://as.example/status/0'

// Unlike browsers, Node before 24 ignores data after a ZLIB stream. Lists are signed, so this is harmless.
const UNSEEN = Number.parseInt(process.versions.node, 10) < 24 ? ['data after the stream'] : []

/** Define one test for each case: its result or error is what the case `returns` or `raises`. */
function each(title: string, cases: Json[], call: (given: Json) => Json): void {
  for (const given of cases) {
    const name = given.name ?? Object.values(given)[0]
    if (UNSEEN.includes(name)) continue
    test(`${title}: ${name}`, async () => {
      const [outcome] = await Promise.allSettled([(async () => call(given))()])
      check(given, outcome)
    })
  }
}

/** Return the cases with their answer: as it is, or the members of the base that it changes. */
function withBase({ base, cases }: Json): Json[] {
  return cases.map(({ with: changed = {}, without = [], ...given }: Json) => {
    const members = Object.entries({ ...base, ...changed }).filter(([name]) => !without.includes(name))
    return { answer: { body: Object.fromEntries(members) }, ...given }
  })
}

each('addresses', read('addresses'), ({ url }) => originOf(url))

each('client authentication', read('client_authentication'), ({ client_id: clientId, secret, method }) => {
  const client: Client = { clientId, ...(secret && { secret }), ...(method && { method }) }
  const { headers, form } = credentials(client)
  return [headers, form]
})

each('token requests', read('token_requests'), ({ call, with: values }) => {
  const client = { clientId: 'web', secret: 's', method: 'client_secret_post' }
  const request = (tokenRequests as Json)[camelCase(call)]('https://as.example/token', client, ...values)
  return [request.method, request.url, request.headers, formEncoded(request.form)]
})

const PENDING: PendingAuthorization = {
  issuer: ISSUER,
  redirectUri: '',
  state: 'the-state',
  nonce: 'the-nonce',
  codeVerifier: 'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk',
  idempotencyKey: 'k',
  begunAt: START,
  scope: null,
  maxAge: null,
}

each('authorization requests', read('authorization_requests'), ({ endpoint, request }) =>
  authorizationUrl(endpoint ?? 'https://as.example/authorize', { clientId: 'web' }, camelCased(request), PENDING),
)

each('callbacks', read('callbacks'), ({ callback, after = 0 }) => codeIn(callback, PENDING, START + after))

each('logout requests', read('logout_requests'), ({ id_token: idToken, post_logout_redirect_uri: uri }) =>
  logoutUrl('https://as.example/logout', { clientId: 'web' }, idToken, uri, 'the-state'),
)

each(
  'logout callbacks',
  read('logout_callbacks'),
  ({ callback, state = 'the-state' }) => checkLogoutCallback(callback, state) ?? null,
)

test('a pending authorization is recognised after it was stored as JSON', () => {
  assert.ok(isPendingAuthorization(JSON.parse(JSON.stringify(PENDING))))
  for (const other of [null, [], {}, { ...PENDING, state: 1 }, { ...PENDING, begunAt: '1' }]) {
    assert.ok(!isPendingAuthorization(other))
  }
})

const CLIENT_RULES: IdTokenRules = { ...RULES, clientId: 'web' }

each('ID tokens', read('id_tokens'), async ({ token, max_age: maxAge = null }) => {
  const pending = { ...PENDING, maxAge }
  const unverified = readIdToken(token, CLIENT_RULES)
  return snakeCased(await judgeIdToken(unverified, CLIENT_RULES, KEYS, pending, 'the-access-token', START))
})

each('logout tokens', read('logout_tokens'), async ({ token }) =>
  snakeCased(await judgeLogoutToken(readLogoutToken(token, CLIENT_RULES), CLIENT_RULES, KEYS, START)),
)

each('URLs of metadata', read('metadata_urls'), ({ issuer }) => metadataRequests(issuer).map(({ url }) => url))

const failures = read('failures')
each('token answers', [...withBase(read('token_answers')), ...failures], ({ answer }) =>
  resultOf(judgeTokenAnswer(answerOf(answer), 1000)),
)

const REVOKED = { name: 'revoked', answer: {}, returns: { revoked: true } }
const ACCEPTED = { name: 'another success', answer: { status: 202 }, returns: { try_again: null } }
each('revocation answers', [REVOKED, ACCEPTED, ...failures], ({ answer }) =>
  resultOf(judgeRevocationAnswer(answerOf(answer))),
)

function resultOf(judged: Json): Json {
  if (judged === null) return { revoked: true }
  if (judged instanceof TryAgain) return { try_again: judged.after }
  if (judged instanceof errors.RefusedError) return { refused: judged.error, description: judged.description }
  const {
    accessToken: access_token,
    expiresAt: expires_at,
    refreshToken: refresh_token,
    scope,
    idToken: id_token,
  } = judged
  return { access_token, expires_at, refresh_token, scope, id_token }
}

/** Return tokens that were received at 1000. */
function tokensOf(accessToken: string, expiresAt: number | null, refreshToken: string | null): Tokens {
  return { accessToken, receivedAt: 1000, expiresAt, refreshToken, scope: 'read', idToken: null }
}

each('renewal times', read('renewal_times'), ({ expires_at: expiresAt, jitter, at }) => {
  const tokens = tokensOf('a1', expiresAt, 'r1')
  const renewedAt = renewAt(tokens, jitter)
  const ended = at.map((now: number) => hasEnded(tokens, now))
  return { renew_at: renewedAt === Number.POSITIVE_INFINITY ? null : renewedAt, ended }
})

each('attempts', read('attempts'), ({ attempt, max_attempts: most = MAX_ATTEMPTS, after = null, jitter = 0 }) =>
  pause(attempt, most, after, jitter),
)

each('strict JSON', read('strict_json'), ({ text }) => parseObject(text))

each('fresh seconds', read('fresh_seconds'), ({ headers }) => freshSeconds(headers, 300))

each('usable keys', read('usable_keys'), async (given) => {
  const keys = await parseKeySet({ keys: [jwkOf(given)] })
  return [...keys.values()].flatMap(({ byAlgorithm }) => [...byAlgorithm.keys()]).sort()
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

each('access tokens', read('access_tokens'), ({ token }) =>
  judgeAccessToken(readAccessToken(token, RULES), RULES, KEYS, START),
)

each('introspection answers', withBase(read('introspection_answers')), ({ answer }) =>
  judgeIntrospectionAnswer(answerOf(answer), ISSUER, AUDIENCE, START, 5),
)

each('status lists', read('status_lists'), async ({ list, returns = [] }) => {
  const decoded = await statusLists.decodeStatusList(list)
  return returns.map(([idx]: [number]) => [idx, statusLists.statusAt(decoded, idx)])
})

each('status list tokens', read('status_list_tokens'), async ({ token }) => {
  const unverified = statusLists.readStatusListToken({ status: 200, headers: {}, body: token }, RULES)
  const { issuedAt, ttl, statusList } = await statusLists.judgeStatusListToken(unverified, LIST, RULES, KEYS, START)
  return { issued_at: issuedAt, ttl, statuses: [0, 1, 2, 15].map((idx) => statusLists.statusAt(statusList, idx)) }
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

each('presented tokens', read('presented_tokens'), ({ authorization, schemes = ['Bearer'] }) =>
  presentedToken(authorization, schemes),
)

each('challenges', read('challenges'), ({ realm = 'api', scope = [], resource, scheme, why }) => {
  const [name, ...values] = why ?? []
  const challenges = { realm, scope, resource: resource ? resourceOf(resource) : null }
  return refusal(challenges, name ? new (errors as Json)[name](...values) : null, scheme)
})

each('resource metadata', read('resource_metadata'), ({ resource: members }) => {
  const resource = resourceOf(members)
  return [resource.metadataUrl, resource.metadata()]
})

each('DPoP proofs', read('dpop_proofs'), (given) => {
  const { method = 'GET', url = 'https://api.example/', thumbprint, proofs, has_nonces: hasNonces } = given
  const request = { method, url, accessToken: 'bound', thumbprint }
  return judgeProof(proofs, request, PROOF_ALGORITHMS, START, { hasNonces })
})

each('DPoP nonces', read('dpop_nonces'), ({ nonce, at }) =>
  new DPoPNonces(Uint8Array.from({ length: 16 }, (_, place) => place)).accepts(nonce, at),
)

test('nonces need a secret', () => {
  assert.throws(() => new DPoPNonces(new Uint8Array(15)), TypeError)
})
