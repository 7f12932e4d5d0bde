/** Sessions of a page whose refresh token is in a cookie that no script reads: Jeton's cookie mode. */

import type { Client } from './client-authentication.js'
import { RefusedError, ServerUnavailableError } from './errors.js'
import { jsonObjectIn } from './messages.js'
import { inCookie, withCookie } from './refresh-tokens.js'
import { type Send, sendBy } from './sending.js'
import { isNumber } from './strict-json.js'
import { tabStorage } from './tab-storage.js'
import { refusalIn, TryAgain } from './token-answers.js'
import { TokenSession, type TokenSessionOptions } from './token-session.js'

/** Who is signed in: `sub`, and the claims that the scope covers. */
export interface SignedIn {
  readonly sub: string
  /** When the session ends if it is not used, in seconds since 1970. */
  readonly expiresAt: number
  readonly claims: Readonly<Record<string, unknown>>
}

export interface CookieSessionOptions extends TokenSessionOptions {
  /** Where the web server of this page passes requests on to Jeton, if it uses forward authentication: an origin, such as
   * `location.origin`. By default the issuer. */
  readonly through?: string
}

/** Return the session that all tabs of this origin share.
 *
 * `client` is registered with `--refresh-cookie`, and this page is of one of its origins. The access token is in memory
 * only; what is stored (by default in `tabStorage`) is whether a refresh is under way. With forward authentication there
 * is no access token here: `accessToken()` returns `''` and keeps the session alive. Throw StorageUnusableError where tabs
 * cannot share a session: two that refresh at once would end it.
 */
export function cookieSession(options: CookieSessionOptions): CookieSession {
  const { storage = tabStorage(`cookie:${options.client.clientId}`) } = options
  return new CookieSession({ ...options, storage })
}

export class CookieSession extends TokenSession {
  readonly #address: string
  readonly #ask: Send

  constructor({ through, ...options }: CookieSessionOptions) {
    const { origin } = new URL(options.issuer)
    const address = (endpoint: string) => endpoint.replace(origin, through ?? origin)
    super(options, inCookie(address, through !== undefined))
    this.#address = address(sessionAddress(options.issuer, options.client))
    this.#ask = sendBy(options.fetch)
  }

  /** Return who is signed in, or `null`. Reject with ServerUnavailableError if that cannot be learned now. */
  async signedIn(): Promise<SignedIn | null> {
    const headers = { accept: 'application/json' }
    const answer = await this.#ask(withCookie({ method: 'GET', url: this.#address, headers }))
    const refusal = refusalIn(answer)
    if (refusal instanceof TryAgain) throw new ServerUnavailableError('the server does not respond', refusal.after ?? 1)
    if (refusal !== null) throw refusal
    const { signed_in: isSignedIn, sub, expires_at: expiresAt, ...claims } = (answer && jsonObjectIn(answer)) ?? {}
    if (isSignedIn === false) return null
    if (typeof sub === 'string' && isNumber(expiresAt)) return { sub, expiresAt, claims }
    throw new RefusedError('unexpected_answer', 'the session endpoint did not say who is signed in')
  }
}

function sessionAddress(issuer: string, { clientId }: Client): string {
  return `${issuer.replace(/\/$/, '')}/oauth/session?client_id=${encodeURIComponent(clientId)}`
}
