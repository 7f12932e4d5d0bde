/** An issuer's server, as it announces itself: asked once, when it is needed first, and remembered. */

import { judgeMetadata, mayBeElsewhere, metadataRequests, type ServerMetadata } from './discovery.js'
import type { Request } from './messages.js'
import type { Send } from './sending.js'

export class AuthorizationServer {
  readonly issuer: string
  readonly #requests: Request[]
  readonly #send: Send
  #metadata: ServerMetadata | null = null

  /** Throws UntrustedServerError at once where the issuer is neither https nor loopback. */
  constructor(issuer: string, send: Send) {
    this.issuer = issuer
    this.#requests = metadataRequests(issuer)
    this.#send = send
  }

  /** Rejects with ServerUnavailableError where no usable answer comes: then the next one asks again. */
  async metadata(): Promise<ServerMetadata> {
    this.#metadata ??= await this.#discover()
    return this.#metadata
  }

  /** Asks at each place until one has the metadata. Throws what was wrong at the first place if none has. */
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
