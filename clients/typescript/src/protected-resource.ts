/** What a service tells clients of itself (RFC 9728): its identifier, its authorization servers, scopes, and proofs. */

import { originOf, requireSecure } from './addresses.js'
import type { DPoP } from './dpop.js'

const WELL_KNOWN = '/.well-known/oauth-protected-resource'

export interface ProtectedResourceOptions {
  /** The URL that clients know, and the audience of tokens for it. */
  readonly identifier: string
  readonly authorizationServers: readonly string[]
  /** The scopes that clients may ask for. */
  readonly scopesSupported?: readonly string[]
  readonly name?: string
  readonly documentation?: string
  /** With it, tokens that are bound to a key are accepted with a proof (RFC 9449). */
  readonly dpop?: DPoP
}

/** `new ProtectedResource({ identifier: 'https://api.example/mcp', authorizationServers: ['https://id.example'] })`. */
export class ProtectedResource {
  readonly identifier: string
  readonly origin: string
  /** The path of the document: the well-known one, inserted before that of the identifier (section 3.1). */
  readonly metadataPath: string
  readonly dpop: DPoP | null
  readonly #options: ProtectedResourceOptions

  /** Throw UntrustedServerError if the identifier is neither https nor loopback, TypeError if it has a query. */
  constructor(options: ProtectedResourceOptions) {
    const { search } = requireSecure(options.identifier)
    if (search !== '') throw new TypeError('the identifier of a resource has no query')
    this.identifier = options.identifier
    this.origin = originOf(options.identifier)
    const path = options.identifier.replace(/^[^/]*\/\/[^/]*/, '')
    this.metadataPath = WELL_KNOWN + (path === '/' ? '' : path)
    this.dpop = options.dpop ?? null
    this.#options = options
  }

  get metadataUrl(): string {
    return this.origin + this.metadataPath
  }

  /** Return the document (section 2). Members without a value are absent. */
  metadata(): Record<string, unknown> {
    const { authorizationServers, scopesSupported = [], name, documentation } = this.#options
    const members = {
      resource: this.identifier,
      authorization_servers: authorizationServers,
      scopes_supported: scopesSupported,
      bearer_methods_supported: ['header'],
      resource_name: name,
      resource_documentation: documentation,
      ...this.dpop?.metadata(),
    }
    return Object.fromEntries(Object.entries(members).filter(([, value]) => hasValue(value)))
  }
}

function hasValue(value: unknown): boolean {
  return value !== undefined && value !== false && !(Array.isArray(value) && value.length === 0)
}
