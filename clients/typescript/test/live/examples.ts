/** The Express service and the single-page app, with a live server. */

import { ExampleProcesses } from './example-processes.js'
import { freePort, Jeton } from './jeton.js'

const AUDIENCE = 'https://orders.example'

/** The server, the Express service at `api`, the single-page app at `app`; the users bea, a clerk, and ann. */
export class Examples {
  readonly passwords: Record<string, string> = {}
  readonly api: string
  readonly app: string
  readonly jeton: Jeton
  readonly #processes = new ExampleProcesses()

  private constructor(jeton: Jeton, apiPort: number, appPort: number) {
    this.jeton = jeton
    this.api = `http://127.0.0.1:${apiPort}`
    this.app = `http://127.0.0.1:${appPort}`
  }

  static async started(): Promise<Examples> {
    const examples = new Examples(await Jeton.installed(), await freePort(), await freePort())
    await examples.#start()
    return examples
  }

  async remove(): Promise<void> {
    this.#processes.remove()
    await this.jeton.remove()
  }

  async #start(): Promise<void> {
    const { jeton, api, app } = this
    const common = ['--public', '--grant', 'refresh_token', '--scope', 'orders', '--audience', AUDIENCE]
    const redirect = ['--application-type', 'spa', '--redirect-uri', `${app}/callback`, '--origin', app]
    await jeton.run('client', 'add', 'orders-app', ...common, '--grant', 'authorization_code', ...redirect)
    await jeton.run('client', 'add', 'orders-tests', ...common, '--grant', 'password', '--scope', 'other')
    this.passwords.bea = (await jeton.run('user', 'add', 'bea', '--role', 'clerk', '--generate-password')).password
    this.passwords.ann = (await jeton.run('user', 'add', 'ann', '--generate-password')).password
    await jeton.start()
    const { issuer } = jeton
    await this.#processes.run('express-service/service.js', {
      ISSUER: issuer,
      AUDIENCE,
      ORIGIN: app,
      PORT: new URL(api).port,
    })
    await this.#processes.run('single-page-app/serve.js', { ISSUER: issuer, API: api, PORT: new URL(app).port })
  }
}
