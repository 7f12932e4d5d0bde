/** Session state: what is stored, and when it is renewed. The caller supplies time and jitter. */

import { isNumber, isObject } from './strict-json.js'
import type { Tokens } from './token-answers.js'

/** How long a server repeats its response. */
export const REPEATABLE_SECONDS = 300
const LEAD_SECONDS = 60
const LEAD_SHARE = 0.2
const MARGIN_SECONDS = 5
const MARGIN_SHARE = 0.05

export type Grant = 'password' | 'authorization_code' | 'client_credentials'

const GRANTS: readonly Grant[] = ['password', 'authorization_code', 'client_credentials']

/** A refresh that was begun and has no outcome yet: it is repeated with this key only. */
export interface PendingRefresh {
  readonly idempotencyKey: string
  readonly begunAt: number
}

/** The stored state: tokens, grant, requested scope, and the pending refresh. */
export interface Session {
  readonly tokens: Tokens
  readonly grant: Grant
  readonly scope: string | null
  readonly pending: PendingRefresh | null
}

/** Return whether every member has its type. The stored value may come from another program. */
export function isSession(value: unknown): value is Session {
  if (!isObject(value) || !isObject(value.tokens)) return false
  const { tokens, grant, scope, pending } = value
  return (
    (GRANTS as readonly unknown[]).includes(grant) &&
    typeof tokens.accessToken === 'string' &&
    isNumber(tokens.receivedAt) &&
    (tokens.expiresAt === null || isNumber(tokens.expiresAt)) &&
    [tokens.refreshToken, tokens.idToken ?? null, tokens.scope, scope].every(isTextOrNull) &&
    (pending === null || (isObject(pending) && typeof pending.idempotencyKey === 'string' && isNumber(pending.begunAt)))
  )
}

function isTextOrNull(value: unknown): boolean {
  return value === null || typeof value === 'string'
}

/** The tokens of a session of which nothing else is known, such as that in a cookie: expired. */
export const NO_TOKENS: Tokens = {
  accessToken: '',
  receivedAt: 0,
  expiresAt: 0,
  refreshToken: null,
  scope: null,
  idToken: null,
}

/** Return whether tokens were received here, even if a web server keeps the access token. */
export function wereReceived(tokens: Tokens): boolean {
  return tokens.receivedAt > NO_TOKENS.receivedAt
}

/** Return whether the access token has ended: shortly before it expires, so that it is valid on arrival. */
export function hasEnded(tokens: Tokens, now: number): boolean {
  if (tokens.expiresAt === null) return false
  return now >= tokens.expiresAt - Math.min(MARGIN_SECONDS, MARGIN_SHARE * lifetime(tokens))
}

/** Return when to renew: one to two leads before the end, by `jitter` from 0 to 1, to spread the requests. */
export function renewAt(tokens: Tokens, jitter: number): number {
  if (tokens.expiresAt === null) return Number.POSITIVE_INFINITY
  return tokens.expiresAt - Math.min(LEAD_SECONDS, LEAD_SHARE * lifetime(tokens)) * (1 + jitter)
}

/** Return the session to store before the request is sent. A pending refresh continues with its own key. */
export function beginRenewal(session: Session, idempotencyKey: string, now: number): Session {
  if (session.pending !== null || session.grant === 'client_credentials') return session
  return { ...session, pending: { idempotencyKey, begunAt: now } }
}

/** Return when the lifetimes in a response to a renewal start: a repeated response is as old as the first. */
export function askedAt({ pending }: Session, begun: number, now: number): number {
  return pending === null ? begun : Math.max(pending.begunAt, now - REPEATABLE_SECONDS)
}

/** Return the session with these tokens, which a refresh has returned. What it did not return remains. */
export function renewed(session: Session, tokens: Tokens): Session {
  // RFC 6749 section 6.
  const refreshToken = tokens.refreshToken ?? session.tokens.refreshToken
  // OpenID Connect Core 12.2; the hint for a logout.
  const idToken = tokens.idToken ?? session.tokens.idToken ?? null
  return { ...session, tokens: { ...tokens, refreshToken, idToken }, pending: null }
}

function lifetime(tokens: Tokens): number {
  return (tokens.expiresAt ?? 0) - tokens.receivedAt
}
