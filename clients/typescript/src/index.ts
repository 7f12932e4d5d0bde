/** Sessions for apps and token verification for services, with any standard OAuth 2 server. */

export { AccessToken } from './access-token.js'
export * from './app.js'
export type { IdToken, LogoutToken } from './id-token.js'
export { IdTokenVerifier, type IdTokenVerifierOptions } from './id-token-verifier.js'
export { type CacheLimits, Introspector, type IntrospectorOptions } from './introspector.js'
export { accessTokenOf, admit, type BearerOptions, bearer, honoBearer, type TokenVerifier } from './middleware.js'
export { type StatusPolling, Verifier, type VerifierOptions } from './verifier.js'
