/** Authorization requests with PKCE (RFC 6749 section 4.1.1, RFC 7636, RFC 8707, OpenID Connect Core 3.1.2.1). */

import type { Client } from './client-authentication.js'
import { isNumber, isObject } from './strict-json.js'

/** What the app asks for. `prompt` is for example `none` or `login`; `maxAge` is in seconds.
 *
 * With `responseMode: 'form_post'` the server answers with a form (POST) instead of the query of the redirect URI.
 */
export interface AuthorizationRequest {
  readonly redirectUri: string
  readonly scope?: string | null
  readonly resources?: readonly string[]
  readonly prompt?: string | null
  readonly maxAge?: number | null
  readonly loginHint?: string | null
  readonly uiLocales?: string | null
  readonly responseMode?: 'query' | 'form_post' | null
}

/** What must be remembered until the redirect comes back: once per login, where only this browser's user reaches it.
 *
 * The value is secret: who knows it, and the redirect, can finish the login. It can be rendered as JSON.
 */
export interface PendingAuthorization {
  readonly issuer: string
  readonly redirectUri: string
  readonly state: string
  readonly nonce: string
  readonly codeVerifier: string
  /** Of the redemption, which can be repeated with it. */
  readonly idempotencyKey: string
  readonly begunAt: number
  readonly scope: string | null
  readonly maxAge: number | null
}

const TEXTS = ['issuer', 'redirectUri', 'state', 'nonce', 'codeVerifier', 'idempotencyKey'] as const
const ASCII = new TextEncoder()

/** Return whether every member has its type. The stored value may come from another program. */
export function isPendingAuthorization(value: unknown): value is PendingAuthorization {
  if (!isObject(value)) return false
  const { begunAt, scope, maxAge } = value
  return (
    TEXTS.every((name) => typeof value[name] === 'string') &&
    isNumber(begunAt) &&
    (scope === null || typeof scope === 'string') &&
    (maxAge === null || isNumber(maxAge))
  )
}

/** Return new secrets for this request. `newSecret` returns 256 random bits in base64url. */
export function begin(
  issuer: string,
  request: AuthorizationRequest,
  now: number,
  newSecret: () => string,
): PendingAuthorization {
  const { redirectUri, scope = null, maxAge = null } = request
  const [state, nonce, codeVerifier, idempotencyKey] = [newSecret(), newSecret(), newSecret(), newSecret()]
  return { issuer, redirectUri, state, nonce, codeVerifier, idempotencyKey, begunAt: now, scope, maxAge }
}

/** Resolve to the URL to which the browser is sent. The nonce is sent with the scope `openid` only. */
export async function authorizationUrl(
  endpoint: string,
  client: Client,
  request: AuthorizationRequest,
  pending: PendingAuthorization,
): Promise<string> {
  const isOpenId = (request.scope ?? '').split(' ').includes('openid')
  const parameters: [string, string | number | null | undefined][] = [
    ['response_type', 'code'],
    ['client_id', client.clientId],
    ['redirect_uri', request.redirectUri],
    ['scope', request.scope],
    ['state', pending.state],
    ['nonce', isOpenId ? pending.nonce : null],
    ['code_challenge', await codeChallenge(pending.codeVerifier)],
    ['code_challenge_method', 'S256'],
    ['prompt', request.prompt],
    ['max_age', request.maxAge],
    ['login_hint', request.loginHint],
    ['ui_locales', request.uiLocales],
    ['response_mode', request.responseMode],
    ...(request.resources ?? []).map((uri): [string, string] => ['resource', uri]),
  ]
  return urlWith(endpoint, parameters)
}

/** Return the endpoint with the parameters that have a value, after its own query (RFC 6749 section 3.1). */
export function urlWith(endpoint: string, parameters: [string, string | number | null | undefined][]): string {
  const query = new URLSearchParams()
  for (const [name, value] of parameters) {
    if (value !== null && value !== undefined) query.append(name, String(value))
  }
  return `${endpoint}${endpoint.includes('?') ? '&' : '?'}${query}`
}

/** Resolve to the challenge of a verifier, by the method S256 (RFC 7636 section 4.2). */
export async function codeChallenge(codeVerifier: string): Promise<string> {
  return base64url(new Uint8Array(await crypto.subtle.digest('SHA-256', ASCII.encode(codeVerifier))))
}

/** Encode here and not by `jose`, so that a page can load this module directly. */
export function base64url(octets: Uint8Array): string {
  return btoa(String.fromCharCode(...octets))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '')
}
