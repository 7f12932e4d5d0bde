/** The examples as separate processes, installed as by `npm install`, with a live server. */

import { type ChildProcess, spawn } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort, Jeton } from './jeton.js'

const PACKAGE = new URL('../../../', import.meta.url).pathname
const EXAMPLES = new URL('../../../../../examples/', import.meta.url).pathname
const AUDIENCE = 'https://orders.example'

/** The server, the Express service at `api`, the single-page app at `app`; the users bea, a clerk, and ann. */
export class Examples {
  readonly passwords: Record<string, string> = {}
  readonly api: string
  readonly app: string
  readonly jeton: Jeton
  readonly #folder = mkdtempSync(join(tmpdir(), 'examples-'))
  readonly #running: ChildProcess[] = []

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
    for (const child of this.#running) child.kill()
    await this.jeton.remove()
    rmSync(this.#folder, { recursive: true })
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
    this.#install()
    const { issuer } = jeton
    await this.#run('express-service/service.js', { ISSUER: issuer, AUDIENCE, ORIGIN: app, PORT: new URL(api).port })
    await this.#run('single-page-app/serve.js', { ISSUER: issuer, API: api, PORT: new URL(app).port })
  }

  /** Link the packages that `npm install` would install, from those of this package. */
  #install(): void {
    cpSync(EXAMPLES, this.#folder, { recursive: true })
    const modules = join(this.#folder, 'node_modules')
    mkdirSync(join(modules, '@jeton'), { recursive: true })
    symlinkSync(PACKAGE, join(modules, '@jeton', 'client'))
    symlinkSync(join(PACKAGE, 'node_modules', 'express'), join(modules, 'express'))
  }

  async #run(script: string, environment: Record<string, string>): Promise<void> {
    const child = spawn(process.execPath, [join(this.#folder, script)], {
      env: { ...process.env, ...environment },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    this.#running.push(child)
    await new Promise<void>((resolve, reject) => {
      child.stdout.once('data', () => resolve())
      child.once('exit', (status) => reject(new Error(`${script} ended with ${status}`)))
    })
  }
}
