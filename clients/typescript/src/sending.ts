/** Sends requests by `fetch`, and reads their answers to the end. */

import { type Answer, formEncoded, type Request } from './messages.js'

const MAX_BYTES = 8 * 1024 * 1024
const TIMEOUT_MILLISECONDS = 5_000

/** Resolve with the response, or with `null` if none arrived completely and in time. Reject only if a key cannot sign. */
export type Send = (request: Request) => Promise<Answer | null>

/** The only `Send` outside tests. Redirects are not followed: credentials are sent only to the announced URL. */
export function sendBy(fetch: typeof globalThis.fetch = globalThis.fetch): Send {
  return async (request) => {
    const form = request.form && { ...request.form, ...(await request.signedFields?.()) }
    try {
      const response = await fetch(request.url, {
        method: request.method,
        headers: request.headers,
        redirect: 'manual',
        credentials: request.withCookies ? 'include' : 'omit',
        signal: AbortSignal.timeout(TIMEOUT_MILLISECONDS),
        ...(form && { body: formEncoded(form) }),
      })
      const body = await textOf(response)
      return body === null ? null : { status: response.status, headers: Object.fromEntries(response.headers), body }
    } catch {
      return null
    }
  }
}

/** Return the body as text, or `null` if it is too long. */
async function textOf(response: Response): Promise<string | null> {
  // Not every `fetch` has web streams as bodies (React Native, node-fetch, whatwg-fetch).
  if (typeof response.body?.getReader !== 'function') {
    const text = await response.text()
    return text.length > MAX_BYTES ? null : text
  }
  const decoder = new TextDecoder('utf-8', { fatal: true })
  let [text, length] = ['', 0]
  for await (const chunk of chunksOf(response)) {
    length += chunk.length
    if (length > MAX_BYTES) return null
    text += decoder.decode(chunk, { stream: true })
  }
  return text + decoder.decode()
}

/** Iterate over a stream; not every browser supports `for await` on streams. */
async function* chunksOf(response: Response): AsyncGenerator<Uint8Array> {
  const reader = response.body?.getReader()
  try {
    for (let read = await reader?.read(); read !== undefined && !read.done; read = await reader?.read())
      yield read.value
  } finally {
    await reader?.cancel()
  }
}
