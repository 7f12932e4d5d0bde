/** Metadata of an authorization server, fetched on first use and cached. */

import { wait } from './attempts.js'
import { judgeMetadata, mayBeElsewhere, metadataRequests, type ServerMetadata } from './discovery.js'
import { ServerUnavailableError } from './errors.js'
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
  async metadata(maxAttempts = 1): Promise<ServerMetadata> {
    for (let attempt = 1; this.#metadata === null; attempt += 1) {
      try {
        this.#metadata = await this.#discover()
      } catch (error) {
        if (!(error instanceof ServerUnavailableError) || attempt >= maxAttempts) throw error
        await wait(attempt, maxAttempts)
      }
    }
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
