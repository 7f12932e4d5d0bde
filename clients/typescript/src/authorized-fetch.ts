/** A `fetch` that sends the session's access token; after a 401 it renews the token once and repeats the request once. */

import { originOf } from './addresses.js'
import type { TokenSession } from './token-session.js'

/** Return a `fetch` for these origins.
 *
 * A request to any other origin throws TypeError, so that tokens are sent only to these origins. A request whose body is a
 * stream is not repeated, because the body cannot be sent twice.
 */
export function authorizedFetch(
  session: Pick<TokenSession, 'accessToken' | 'renew'>,
  { origins, fetch = globalThis.fetch }: { origins: Iterable<string>; fetch?: typeof globalThis.fetch },
): typeof globalThis.fetch {
  const allowed = new Set([...origins].map(originOf))
  return async (input, init) => {
    const request = new globalThis.Request(input, init)
    const { host, origin } = new URL(request.url)
    if (!allowed.has(origin)) {
      throw new TypeError(`no token is sent to ${host}: add its origin to \`origins\` to allow it`)
    }
    const isRepeatable = !(init?.body instanceof ReadableStream)
    const token = await session.accessToken()
    const response = await fetch(withToken(isRepeatable ? request.clone() : request, token))
    if (response.status !== 401 || !isRepeatable) return response
    await response.body?.cancel()
    return fetch(withToken(request, await session.renew(token)))
  }
}

function withToken(request: globalThis.Request, token: string): globalThis.Request {
  request.headers.set('authorization', `Bearer ${token}`)
  return request
}
