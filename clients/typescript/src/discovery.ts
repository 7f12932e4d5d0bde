/** Discovery: from an issuer to its server's metadata (RFC 8414). */

import { requireSecure } from './addresses.js'
import { ServerUnavailableError, UntrustedServerError } from './errors.js'
import { type Answer, jsonObjectIn, type Request } from './messages.js'
import type { JsonObject } from './strict-json.js'

const OAUTH = '/.well-known/oauth-authorization-server'
const OPENID = '/.well-known/openid-configuration'

/** The members that this package uses; `null` for an endpoint that the server does not offer. */
export interface ServerMetadata {
  readonly issuer: string
  readonly authorizationEndpoint: string | null
  readonly tokenEndpoint: string | null
  readonly revocationEndpoint: string | null
  readonly introspectionEndpoint: string | null
  readonly jwksUri: string | null
  readonly endSessionEndpoint: string | null
}

/**
 * Return the requests for the metadata, in the order in which to try them. RFC 8414 section 3.1 puts the well-known path
 * between host and path of the issuer. If a proxy forwards only the issuer's path to the server, the metadata is below that
 * path. The last location is that of OpenID Connect Discovery (RFC 8414 section 5). Throw UntrustedServerError unless the
 * issuer is https or loopback.
 */
export function metadataRequests(issuer: string): Request[] {
  const { origin, pathname } = requireSecure(issuer)
  if (issuer.includes('?'))
    throw new UntrustedServerError(`an issuer has no query: ${JSON.stringify(issuer.split('?')[0])}`)
  const below = pathname.replace(/\/+$/, '')
  const paths = new Set([OAUTH + below, below + OAUTH, below + OPENID])
  return [...paths].map((path) => ({ method: 'GET', url: origin + path, headers: { accept: 'application/json' } }))
}

/** Return whether the server responded, so that the metadata can be at another location. */
export function mayBeElsewhere(answer: Answer | null): boolean {
  return answer !== null && answer.status < 500
}

/** Return the metadata. Throw ServerUnavailableError if unusable, UntrustedServerError if it names another issuer. */
export function judgeMetadata(issuer: string, answer: Answer | null): ServerMetadata {
  const members = answer?.status === 200 ? jsonObjectIn(answer) : null
  if (members === null) throw new ServerUnavailableError(`no usable metadata from ${issuer}`)
  // Section 3.3: must be identical.
  if (members.issuer !== issuer) throw new UntrustedServerError(`the metadata of ${issuer} names another issuer`)
  return {
    issuer,
    authorizationEndpoint: endpoint(members, 'authorization_endpoint'),
    tokenEndpoint: endpoint(members, 'token_endpoint'),
    revocationEndpoint: endpoint(members, 'revocation_endpoint'),
    introspectionEndpoint: endpoint(members, 'introspection_endpoint'),
    jwksUri: endpoint(members, 'jwks_uri'),
    endSessionEndpoint: endpoint(members, 'end_session_endpoint'),
  }
}

/** Return the endpoint. Throw UntrustedServerError if the server does not announce it. */
export function required(endpoint: string | null, name: string): string {
  if (endpoint === null) throw new UntrustedServerError(`the server announces no ${name}`)
  return endpoint
}

function endpoint(members: JsonObject, name: string): string | null {
  const url = members[name]
  if (url === undefined || url === null) return null
  if (typeof url !== 'string') throw new UntrustedServerError(`${name} is not a URL`)
  requireSecure(url)
  return url
}
