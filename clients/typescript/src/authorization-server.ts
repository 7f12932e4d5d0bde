/** Metadata of an authorization server, fetched on first use and cached. */

import { judgeMetadata, mayBeElsewhere, metadataRequests, type ServerMetadata } from './discovery.js'
import type { Request } from './messages.js'
import type { Send } from './sending.js'

export class AuthorizationServer {
  readonly issuer: string
  readonly #requests: Request[]
  readonly #send: Send
  #metadata: ServerMetadata | null = null

  /** Throws UntrustedServerError unless the issuer is https or loopback. */
  constructor(issuer: string, send: Send) {
    this.issuer = issuer
    this.#requests = metadataRequests(issuer)
    this.#send = send
  }

  /** Return the metadata. Reject with ServerUnavailableError without a usable response; the next call tries again. */
  async metadata(): Promise<ServerMetadata> {
    this.#metadata ??= await this.#discover()
    return this.#metadata
  }

  /** Try each location until one has the metadata. If none has, throw the error of the first location. */
  async #discover(): Promise<ServerMetadata> {
    const failures: unknown[] = []
    for (const request of this.#requests) {
      const answer = await this.#send(request)
      try {
        return judgeMetadata(this.issuer, answer)
      } catch (error) {
        failures.push(error)
      }
      if (!mayBeElsewhere(answer)) break
    }
    throw failures[0]
  }
}
