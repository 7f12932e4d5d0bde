/** Sessions for apps, without verification. A page can load this module directly; it has no dependencies. */

export {
  type AuthorizationRequest,
  isPendingAuthorization,
  type PendingAuthorization,
} from './authorization-request.js'
export { authorizedFetch } from './authorized-fetch.js'
export { finishLogInByBrowser, logInByBrowser } from './browser-login.js'
export { checkLogoutCallback } from './callback.js'
export type { Client } from './client-authentication.js'
export { CookieSession, cookieSession, type SignedIn } from './cookie-session.js'
export * from './errors.js'
export type { Session } from './session.js'
export { memoryStorage, type Storage } from './storage.js'
export { tabStorage } from './tab-storage.js'
export type { Tokens } from './token-answers.js'
export { TokenSession, type TokenSessionOptions } from './token-session.js'
