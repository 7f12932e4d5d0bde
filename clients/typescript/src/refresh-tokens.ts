/** How the refresh token of a session reaches the server: as a parameter, or in a cookie that no script reads. */

import type { Client } from './client-authentication.js'
import type { Request } from './messages.js'
import { NO_TOKENS, type Session } from './session.js'
import type { Tokens } from './token-answers.js'
import * as tokenRequests from './token-requests.js'

export interface RefreshTokens {
  /** The session to renew if none is stored: it exists if the browser has a cookie. Otherwise `null`. */
  readonly implied: Session | null

  /** Whether a web server adds the access tokens to requests, so that responses have none. */
  readonly isForwarded: boolean

  /** Return a request whose answer may bring a refresh token. */
  accepted(request: Request): Request

  /** Return the request for new tokens, or `null` if there is no refresh token. */
  refresh(endpoint: string, client: Client, tokens: Tokens, idempotencyKey: string): Request | null

  /** Return the request that ends the session; `tokens` are `null` if none is stored. */
  revoke(endpoint: string, client: Client, tokens: Tokens | null): Request
}

/** RFC 6749 section 6: a parameter of the request, and a member of its response. */
export const inParameters: RefreshTokens = {
  implied: null,
  isForwarded: false,
  accepted: (request) => request,
  refresh: (endpoint, client, { refreshToken }, idempotencyKey) =>
    refreshToken === null ? null : tokenRequests.refresh(endpoint, client, refreshToken, idempotencyKey),
  revoke: (endpoint, client, tokens) => {
    const refreshToken = tokens?.refreshToken ?? null
    if (refreshToken !== null) return tokenRequests.revoke(endpoint, client, refreshToken, 'refresh_token')
    return tokenRequests.revoke(endpoint, client, tokens?.accessToken ?? '', 'access_token')
  },
}

/** Jeton's cookie mode: the browser sends the cookie, and a header field shows that a page of the client asks.
 *
 * `address` returns where this page reaches an endpoint of the server.
 */
export function inCookie(address: (endpoint: string) => string, isForwarded: boolean): RefreshTokens {
  return {
    isForwarded,
    implied: { tokens: NO_TOKENS, grant: 'authorization_code', scope: null, pending: null },
    accepted: (request) => withCookie({ ...request, url: address(request.url) }),
    refresh: (endpoint, client, _, idempotencyKey) =>
      withCookie(tokenRequests.refresh(address(endpoint), client, null, idempotencyKey)),
    revoke: (endpoint, client) => withCookie(tokenRequests.revoke(address(endpoint), client, null, 'refresh_token')),
  }
}

/** Return a request that the browser sends with cookies, and which no page of another origin can send. */
export function withCookie(request: Request): Request {
  return { ...request, headers: { ...request.headers, 'x-jeton': '1' }, withCookies: true }
}
