/** Examples as separate processes, installed as by `npm install`. */

import { type ChildProcess, spawn } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const PACKAGE = new URL('../../../', import.meta.url).pathname
const EXAMPLES = new URL('../../../../../examples/', import.meta.url).pathname
const PACKAGES = ['express', '@modelcontextprotocol', 'zod']

export class ExampleProcesses {
  readonly #folder = mkdtempSync(join(tmpdir(), 'examples-'))
  readonly #running: ChildProcess[] = []

  /** Copy the examples, and link the packages that `npm install` would install, from those of this package. */
  constructor() {
    cpSync(EXAMPLES, this.#folder, { recursive: true })
    const modules = join(this.#folder, 'node_modules')
    mkdirSync(join(modules, '@jeton'), { recursive: true })
    symlinkSync(PACKAGE, join(modules, '@jeton', 'client'))
    for (const name of PACKAGES) symlinkSync(join(PACKAGE, 'node_modules', name), join(modules, name))
  }

  /** Start a script, and wait until it prints something. */
  async run(script: string, environment: Record<string, string>): Promise<void> {
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

  remove(): void {
    for (const child of this.#running) child.kill()
    rmSync(this.#folder, { recursive: true })
  }
}
