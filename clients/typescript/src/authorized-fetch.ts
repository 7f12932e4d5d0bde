/** A `fetch` that puts the session's access token on requests; after a 401 it renews once, and repeats once. */

import { originOf } from './addresses.js'
import type { TokenSession } from './token-session.js'

/** The same as `fetch`, for these origins.
 *
 * A request to any other origin is refused with TypeError, so that no token goes where it should not. A body that is a
 * stream cannot be sent twice: such a request is not repeated.
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
      throw new TypeError(`tokens of this session do not go to ${host}: name it in \`origins\` if they may`)
    }
    const isRepeatable = !(init?.body instanceof ReadableStream)
    const token = await session.accessToken()
    const response = await fetch(withToken(isRepeatable ? request.clone() : request, token))
    if (response.status !== 401 || !isRepeatable) return response
    const other = await session.renew(token)
    await response.body?.cancel()
    return fetch(withToken(request, other))
  }
}

function withToken(request: globalThis.Request, token: string): globalThis.Request {
  request.headers.set('authorization', `Bearer ${token}`)
  return request
}
