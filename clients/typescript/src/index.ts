/** Token sessions for apps, token verification for services, with any OAuth 2 server that keeps to the RFCs. */

export { AccessToken } from './access-token.js'
export { authorizedFetch } from './authorized-fetch.js'
export type { Client } from './client-authentication.js'
export {
  ClientError,
  InsufficientScope,
  InvalidToken,
  LoginRequired,
  MalformedRequest,
  Refused,
  ServerAway,
  StorageUnusable,
  UntrustedServer,
  Unverifiable,
} from './errors.js'
export { Introspector, type IntrospectorOptions, type Remember } from './introspector.js'
export { accessTokenOf, admit, type BearerOptions, bearer, honoBearer, type TokenVerifier } from './middleware.js'
export type { Session } from './session.js'
export { memoryStorage, type Storage } from './storage.js'
export { tabStorage } from './tab-storage.js'
export { TokenSession, type TokenSessionOptions } from './token-session.js'
export { type FollowStatus, Verifier, type VerifierOptions } from './verifier.js'
