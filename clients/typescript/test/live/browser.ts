/** A real browser (Debian's Chromium, headless), and a server of pages for it. */

import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import { type Browser, chromium } from 'playwright-core'

const PACKAGE = new URL('../../../', import.meta.url)
const MEDIA_TYPES: Record<string, string> = { html: 'text/html', js: 'text/javascript', css: 'text/css' }

const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium'

/** Why browser tests are skipped, or false; never skipped in CI. */
export const noBrowser =
  existsSync(CHROMIUM) || process.env.CI
    ? false
    : `NO BROWSER TESTS: there is no ${CHROMIUM} (Debian: apt-get install chromium)`

export function launchBrowser(): Promise<Browser> {
  const quiet = ['quic', 'background-networking', 'component-update', 'sync', 'gpu'].map((what) => `--disable-${what}`)
  return chromium.launch({
    executablePath: CHROMIUM,
    args: ['--no-sandbox', '--no-first-run', ...quiet],
  })
}

/** Serve `pages` by path; a folder serves the files below its path. */
export class Site {
  readonly url: string
  readonly #port: number
  readonly #server: Server

  constructor(port: number, pages: Record<string, string | URL>) {
    this.#port = port
    this.url = `http://127.0.0.1:${port}`
    this.#server = createServer(async (incoming, outgoing) => {
      const path = incoming.url ?? '/'
      const body = await bodyAt(path, pages)
      const extension = path.split('.').at(-1) ?? ''
      outgoing.writeHead(body === null ? 404 : 200, { 'content-type': MEDIA_TYPES[extension] ?? 'text/html' })
      outgoing.end(body ?? '')
    })
  }

  async start(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(this.#port, '127.0.0.1', resolve))
  }

  stop(): void {
    this.#server.close()
    this.#server.closeAllConnections()
  }
}

/** Paths of this package for a page without a bundler. */
export const CLIENT: Record<string, URL> = { '/client/': new URL('dist/', PACKAGE) }

async function bodyAt(path: string, pages: Record<string, string | URL>): Promise<string | Buffer | null> {
  const page = pages[path]
  if (typeof page === 'string') return page
  for (const [prefix, folder] of Object.entries(pages)) {
    if (folder instanceof URL && path.startsWith(prefix) && !path.includes('..')) {
      return readFile(new URL(`./${path.slice(prefix.length) || 'index.html'}`, folder)).catch(() => null)
    }
  }
  return null
}
