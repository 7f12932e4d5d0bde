/** Sessions for apps and token verification for services, with any standard OAuth 2 server. */

export { AccessToken } from './access-token.js'
export { admit, type BearerOptions, type PresentedRequest, type TokenVerifier } from './admission.js'
export * from './app.js'
export { DPoP, type DPoPOptions } from './dpop.js'
export { DPoPNonces } from './dpop-nonces.js'
export type { IdToken, LogoutToken } from './id-token.js'
export { IdTokenVerifier, type IdTokenVerifierOptions } from './id-token-verifier.js'
export { type CacheLimits, Introspector, type IntrospectorOptions } from './introspector.js'
export { accessTokenOf, bearer, honoBearer } from './middleware.js'
export { ProtectedResource, type ProtectedResourceOptions } from './protected-resource.js'
export { MemoryUsedProofs, type UsedProofs } from './used-proofs.js'
export { type StatusPolling, Verifier, type VerifierOptions } from './verifier.js'
