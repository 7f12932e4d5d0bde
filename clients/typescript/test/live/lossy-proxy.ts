/** Proxy between apps and server that drops the response to every n-th token request. */

import { Agent, createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http'

export class LossyProxy {
  readonly port: number
  readonly url: string
  tokenRequests = 0
  lost = 0
  /** The Idempotency-Keys of all requests: one for each intended refresh. */
  readonly keys = new Set<string>()
  readonly #target: number
  readonly #losesEvery: number
  readonly #server: Server
  readonly #agent = new Agent({ keepAlive: false })

  constructor(port: number, target: number, losesEvery: number) {
    this.port = port
    this.url = `http://127.0.0.1:${port}`
    this.#target = target
    this.#losesEvery = losesEvery
    this.#server = createServer((incoming, outgoing) => this.#forward(incoming, outgoing))
  }

  async start(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(this.port, '127.0.0.1', resolve))
  }

  stop(): void {
    this.#server.close()
    this.#server.closeAllConnections()
  }

  #forward(incoming: IncomingMessage, outgoing: ServerResponse): void {
    const { method, url: path, headers } = incoming
    const isLost = method === 'POST' && path === '/oauth/token' && this.#counted(headers['idempotency-key'])
    const target = { host: '127.0.0.1', port: this.#target, agent: this.#agent }
    const forwarded = request({ ...target, method, path, headers }, (answer) => {
      if (isLost) {
        // Read completely, so that the server finishes, then drop the response.
        answer.resume().once('end', () => incoming.socket.destroy())
        return
      }
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(outgoing)
    })
    forwarded.once('error', () => incoming.socket.destroy())
    incoming.pipe(forwarded)
  }

  #counted(key: string | string[] | undefined): boolean {
    if (typeof key === 'string') this.keys.add(key)
    this.tokenRequests += 1
    const isLost = this.tokenRequests % this.#losesEvery === 0
    if (isLost) this.lost += 1
    return isLost
  }
}
