/** A session as it is kept, when it is renewed, and what an attempt at that leads to. Pure: told the time and the jitter. */

import { LoginRequiredError, RefusedError, ServerUnavailableError } from './errors.js'
import { isNumber, isObject } from './strict-json.js'
import { type Tokens, TryAgain } from './token-answers.js'

export const MAX_ATTEMPTS = 6
/** While the access token is still good. */
export const EARLY_ATTEMPTS = 3
/** For so long a server may answer a repetition with its first answer. */
export const REPEATABLE_SECONDS = 120
const LEAD_SECONDS = 60
const LEAD_SHARE = 0.2
const MARGIN_SECONDS = 5
const MARGIN_SHARE = 0.05
const FIRST_PAUSE = 0.25
const LONGEST_PAUSE = 30

export type Grant = 'password' | 'client_credentials'

/** A refresh that was begun and not judged: it may be repeated with this key and no other. */
export interface PendingRefresh {
  readonly idempotencyKey: string
  readonly begunAt: number
}

/** What is kept: the tokens, how they were got, which scope was asked for, and a refresh under way. */
export interface Session {
  readonly tokens: Tokens
  readonly grant: Grant
  readonly scope: string | null
  readonly pending: PendingRefresh | null
}

/** Whether every member has its type: what is stored may have been written by anybody. */
export function isSession(value: unknown): value is Session {
  if (!isObject(value) || !isObject(value.tokens)) return false
  const { tokens, grant, scope, pending } = value
  return (
    (grant === 'password' || grant === 'client_credentials') &&
    typeof tokens.accessToken === 'string' &&
    isNumber(tokens.receivedAt) &&
    (tokens.expiresAt === null || isNumber(tokens.expiresAt)) &&
    [tokens.refreshToken, tokens.scope, scope].every((text) => text === null || typeof text === 'string') &&
    (pending === null || (isObject(pending) && typeof pending.idempotencyKey === 'string' && isNumber(pending.begunAt)))
  )
}

/** Wait so many seconds, then send the same request again. */
export class Pause {
  readonly seconds: number

  constructor(seconds: number) {
    this.seconds = seconds
  }
}

/** Whether the access token may not be handed out any more: a little before its end, so that it does not end on the way. */
export function hasEnded(tokens: Tokens, now: number): boolean {
  if (tokens.expiresAt === null) return false
  return now >= tokens.expiresAt - Math.min(MARGIN_SECONDS, MARGIN_SHARE * lifetime(tokens))
}

/** From when on to renew: one to two leads before the end, by `jitter` from 0 to 1, so that many do not come at once. */
export function renewAt(tokens: Tokens, jitter: number): number {
  if (tokens.expiresAt === null) return Number.POSITIVE_INFINITY
  return tokens.expiresAt - Math.min(LEAD_SECONDS, LEAD_SHARE * lifetime(tokens)) * (1 + jitter)
}

/** The session to store before the request is sent. A refresh that is under way goes on with its own key. */
export function beginRenewal(session: Session, idempotencyKey: string, now: number): Session {
  if (session.tokens.refreshToken === null && session.grant === 'password') {
    throw new LoginRequiredError('the session has ended, and the server gave no refresh token')
  }
  if (session.pending !== null || session.grant === 'client_credentials') return session
  return { ...session, pending: { idempotencyKey, begunAt: now } }
}

/** From when on the lifetimes in an answer count: a repeated answer is as old as the first. */
export function askedAt(session: Session, now: number): number {
  return session.pending === null ? now : Math.max(session.pending.begunAt, now - REPEATABLE_SECONDS)
}

/** What this attempt, of at most so many, leads to. Where it failed, the pending refresh keeps its key. */
export function afterAttempt(
  session: Session,
  judged: Tokens | TryAgain | RefusedError,
  attempt: number,
  most: number,
  jitter: number,
): Session | Pause | LoginRequiredError | RefusedError | ServerUnavailableError {
  if (judged instanceof TryAgain) {
    const seconds = pause(attempt, judged.after, jitter)
    if (attempt < most) return new Pause(seconds)
    return new ServerUnavailableError(`no usable answer after ${attempt} attempts; the session is kept`, seconds)
  }
  if (judged instanceof RefusedError) {
    const isOver = judged.error === 'invalid_grant' && session.grant === 'password'
    return isOver ? new LoginRequiredError('the session is over') : judged
  }
  // RFC 6749 section 6: without a new refresh token the old one stays.
  const refreshToken = judged.refreshToken ?? session.tokens.refreshToken
  return { ...session, tokens: { ...judged, refreshToken }, pending: null }
}

/** Seconds before the next attempt: doubled each time, half of it by `jitter`, never less than the server asks for. */
export function pause(attempt: number, after: number | null, jitter: number): number {
  const longest = Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (attempt - 1))
  return Math.max(after ?? 0, (longest * (1 + jitter)) / 2)
}

function lifetime(tokens: Tokens): number {
  return (tokens.expiresAt ?? 0) - tokens.receivedAt
}
