/** Log-in of a page by redirect: to the server, and back to the page. The pending value is kept in this tab. */

import {
  type AuthorizationRequest,
  isPendingAuthorization,
  type PendingAuthorization,
} from './authorization-request.js'
import { InvalidCallbackError, ServerUnavailableError, StorageUnusableError } from './errors.js'
import { isObject } from './strict-json.js'
import type { TokenSession } from './token-session.js'

const NAME = 'jeton.login'
const RESPONSE = ['state', 'iss', 'code', 'error', 'error_description'] as const

/** The parts of `window` that are used. `sessionStorage` belongs to one tab: logins in other tabs are undisturbed.
 *
 * The types of the DOM are not named, because programs for Node are compiled without them.
 */
export interface Page {
  readonly location: { readonly href: string; assign(url: string): void }
  readonly history: { readonly state: unknown; replaceState(state: unknown, unused: string, url: string): void }
  readonly sessionStorage: {
    getItem(name: string): string | null
    setItem(name: string, value: string): void
    removeItem(name: string): void
  }
}

interface Kept {
  readonly pending: PendingAuthorization
  /** Where the page was. */
  readonly from: string
}

/** Leave the page for the server's log-in. Afterwards the browser loads `request.redirectUri`, a page of this origin that
 * calls `finishLogInByBrowser`. Reject with StorageUnusableError if the tab cannot remember the login.
 */
export async function logInByBrowser(
  session: Pick<TokenSession, 'startAuthorization'>,
  request: AuthorizationRequest,
  { page = globalThis.window }: { page?: Page } = {},
): Promise<void> {
  const { url, pending } = await session.startAuthorization(request)
  const kept: Kept = { pending, from: page.location.href }
  try {
    page.sessionStorage.setItem(NAME, JSON.stringify(kept))
  } catch (error) {
    throw new StorageUnusableError('the login cannot be kept in sessionStorage', { cause: error })
  }
  page.location.assign(url)
}

/** Call this whenever a page loads. Resolve to true if it is the redirect of a login: then the session is started, and the
 * address is again that of the page before.
 *
 * Reject with InvalidCallbackError if this tab has begun no such login, and with the errors of `finishAuthorization`. After
 * ServerUnavailableError, the same page can be loaded again.
 */
export async function finishLogInByBrowser(
  session: Pick<TokenSession, 'finishAuthorization'>,
  { page = globalThis.window }: { page?: Page } = {},
): Promise<boolean> {
  const callback = page.location.href
  if (!isCallback(callback)) return false
  const kept = keptIn(page)
  let isRepeatable = false
  try {
    if (kept === null) throw new InvalidCallbackError('state')
    await session.finishAuthorization(kept.pending, callback)
    page.sessionStorage.removeItem(NAME)
    return true
  } catch (error) {
    isRepeatable = error instanceof ServerUnavailableError && new URL(callback).searchParams.has('code')
    throw error
  } finally {
    // The address has the code: it must not remain in the history.
    if (!isRepeatable) page.history.replaceState(page.history.state, '', addressAfter(callback, kept))
  }
}

function isCallback(href: string): boolean {
  const { searchParams } = new URL(href)
  return searchParams.has('state') && (searchParams.has('code') || searchParams.has('error'))
}

function keptIn({ sessionStorage }: Page): Kept | null {
  try {
    const kept: unknown = JSON.parse(sessionStorage.getItem(NAME) ?? 'null')
    return isObject(kept) && isPendingAuthorization(kept.pending) && typeof kept.from === 'string'
      ? { pending: kept.pending, from: kept.from }
      : null
  } catch {
    return null
  }
}

/** Return where the login began; without that, or if that was a redirect too, this page without the response. */
function addressAfter(callback: string, kept: Kept | null): string {
  const begun = kept !== null && URL.canParse(kept.from) ? new URL(kept.from) : null
  const url = begun?.origin === new URL(callback).origin ? begun : new URL(callback)
  if (isCallback(url.href)) for (const name of RESPONSE) url.searchParams.delete(name)
  return url.href
}
