/** An issuer's server, as it announces itself: asked once, when it is needed first, and remembered. */

import { judgeMetadata, metadataRequest, type ServerMetadata } from './discovery.js'
import type { Request } from './messages.js'
import type { Send } from './sending.js'

export class AuthorizationServer {
  readonly issuer: string
  readonly #request: Request
  readonly #send: Send
  #metadata: ServerMetadata | null = null

  /** Throws UntrustedServerError at once where the issuer is neither https nor loopback. */
  constructor(issuer: string, send: Send) {
    this.issuer = issuer
    this.#request = metadataRequest(issuer)
    this.#send = send
  }

  /** Rejects with ServerUnavailableError where no usable answer comes: then the next one asks again. */
  async metadata(): Promise<ServerMetadata> {
    this.#metadata ??= judgeMetadata(this.issuer, await this.#send(this.#request))
    return this.#metadata
  }
}
