/** A service for Node, which is compiled without the types of the DOM. */

import { type BearerOptions, bearer, TokenSession, Verifier } from '@jeton/client'

const verifier = new Verifier({ issuer: 'https://as.example', audience: 'https://api.example' })
const options: BearerOptions = { scope: ['orders'] }

export const session = new TokenSession({ issuer: 'https://as.example', client: { clientId: 'report', secret: 's' } })
export const middleware = bearer(verifier, options)
