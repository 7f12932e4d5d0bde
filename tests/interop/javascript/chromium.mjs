// Chromium, shared by scripts that run in one process, and the site of their pages at a registered origin.
import { createServer } from 'node:http'
import { after } from 'node:test'
import { chromium } from 'playwright-core'
import { live } from './live.mjs'

// Nothing is looked at: drawing in software takes more time than all else.
const ARGUMENTS = ['--no-sandbox', '--no-first-run', '--disable-gpu', '--disable-software-rasterizer', '--in-process-gpu']
const sources = []

/** Serves the pages and scripts that this function returns for a path: `[kind, text]`, or undefined. */
export const serve = (source) => sources.push(source)

/** Opens an empty page. */
export async function newPage() {
  const page = await browser.newPage({ locale: 'en', viewport: { width: 600, height: 400 } })
  page.setDefaultTimeout(10_000)
  return page
}

const site = createServer(async ({ url }, outgoing) => {
  for (const source of sources) {
    const found = await source(new URL(url, live.origin).pathname)
    if (!found) continue
    outgoing.setHeader('content-type', `text/${found[0]}; charset=utf-8`)
    return outgoing.end(found[1])
  }
  outgoing.writeHead(404).end()
})

await new Promise((resolve) => site.listen(new URL(live.origin).port, '127.0.0.1', resolve))
const browser = await chromium.launch({ executablePath: live.chromium, args: ARGUMENTS })

after(async () => {
  await browser.close()
  site.close()
  site.closeAllConnections()
})
