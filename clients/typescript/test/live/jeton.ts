/** `jeton serve` as a separate process, on a free port, with a database of its own. */

import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

/** The command: that of the checkout, or the one in the environment variable. */
const JETON = process.env.JETON ?? new URL('../../../../../.venv/bin/jeton', import.meta.url).pathname
const START_MILLISECONDS = 60_000

export class Jeton {
  readonly folder = mkdtempSync(join(tmpdir(), 'jeton-'))
  readonly port: number
  readonly issuer: string
  readonly #environment: Record<string, string | undefined>
  #process: ChildProcess | null = null

  private constructor(port: number, issuer: string, settings: Record<string, string>) {
    this.port = port
    this.issuer = issuer
    const own = Object.entries(process.env).filter(([name]) => !name.startsWith('JETON'))
    this.#environment = {
      ...Object.fromEntries(own),
      JETON_SERVER__PORT: String(port),
      JETON_SERVER__ISSUER: issuer,
      JETON_PASSWORDS__MEMORY_KIB: '8',
      ...settings,
    }
  }

  /** Create an installation without starting it. Behind a proxy the issuer is the URL of the proxy. */
  static async installed(issuer: string | null = null, settings: Record<string, string> = {}): Promise<Jeton> {
    const port = await freePort()
    return new Jeton(port, issuer ?? `http://127.0.0.1:${port}`, settings)
  }

  // biome-ignore lint/suspicious/noExplicitAny: JSON output of the command
  async run(...words: string[]): Promise<any> {
    const options = { cwd: this.folder, env: this.#environment, timeout: START_MILLISECONDS }
    const { stdout } = await promisify(execFile)(JETON, [...words, '--json'], options)
    return JSON.parse(stdout)
  }

  async start(): Promise<void> {
    const log = openSync(this.#log, 'a')
    const begin = readFileSync(this.#log).length
    const options = { cwd: this.folder, env: this.#environment, stdio: ['ignore', log, log] as const }
    this.#process = spawn(JETON, ['serve'], { ...options, stdio: [...options.stdio] })
    closeSync(log)
    const deadline = Date.now() + START_MILLISECONDS
    while (!(await this.#isReady(begin))) {
      if (this.#process.exitCode !== null || Date.now() > deadline) throw new Error(readFileSync(this.#log, 'utf8'))
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }

  /** Stop with SIGTERM, like a service manager. */
  async stop(): Promise<void> {
    const stopping = this.#process
    if (stopping === null) return
    this.#process = null
    const ended = new Promise((resolve) => stopping.once('exit', resolve))
    stopping.kill('SIGTERM')
    await ended
  }

  async remove(): Promise<void> {
    await this.stop()
    rmSync(this.folder, { recursive: true })
  }

  get #log(): string {
    return join(this.folder, 'serve.log')
  }

  /** Wait for its own log first: another process could use the port. */
  async #isReady(begin: number): Promise<boolean> {
    const said = readFileSync(this.#log, 'utf8').slice(begin)
    if (!said.includes(`running on http://127.0.0.1:${this.port}`)) return false
    return fetch(`http://127.0.0.1:${this.port}/readyz`).then(
      ({ ok }) => ok,
      () => false,
    )
  }
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}
