/** Middleware for Express, Hono and similar: requires a valid access token, and answers refused requests.
 *
 * With a `resource`, it also serves the metadata, to requests without a token (RFC 6750, RFC 9728, RFC 9449).
 */

import type { AccessToken } from './access-token.js'
import { admit, type BearerOptions, type TokenVerifier } from './admission.js'
import type { Refusal } from './challenges.js'
import type { ProtectedResource } from './protected-resource.js'

const admitted = new WeakMap<object, AccessToken>()

/** Return the verified token of this request. Throw TypeError if the middleware is not mounted for it. */
export function accessTokenOf(request: object): AccessToken {
  const token = admitted.get(request)
  if (token === undefined) throw new TypeError('this request has no verified token: mount bearer() before the handler')
  return token
}

/** The used part of requests and responses of node:http, Express and compatible frameworks. */
interface NodeRequest {
  readonly headersDistinct?: unknown
  readonly headers?: unknown
  readonly method?: string
  readonly url?: string
  /** Express: the URL with the path at which the middleware is mounted. */
  readonly originalUrl?: string
}
interface NodeResponse {
  setHeader(name: string, value: string): unknown
  writeHead(status: number, headers: Record<string, string>): { end(body?: string): unknown }
}

/** Return middleware for Express and compatible frameworks. The handler calls `accessTokenOf(request)`. */
export function bearer(verifier: TokenVerifier, options: BearerOptions = {}) {
  const { resource } = options
  return async (request: NodeRequest, response: NodeResponse, next: (error?: unknown) => void): Promise<void> => {
    const { method = 'GET' } = request
    const path = pathOf(request.originalUrl ?? request.url ?? '/')
    const send = ({ status, headers, body }: Answer) => response.writeHead(status, headers).end(body)
    if (path === resource?.metadataPath) {
      send(metadataAnswer(resource, method))
      return
    }
    try {
      const [authorization, dpop] = ['authorization', 'dpop'].map(
        (name) => headersNamed(name, request.headersDistinct) ?? headersNamed(name, request.headers),
      )
      const outcome = await admit(verifier, { authorization, dpop, method, path }, options)
      if (isRefusal(outcome)) {
        send(refusalAnswer(outcome))
        return
      }
      for (const [name, value] of Object.entries((await resource?.dpop?.headers()) ?? {}))
        response.setHeader(name, value)
      admitted.set(request, outcome)
    } catch (error) {
      next(error)
      return
    }
    next()
  }
}

/** The used part of a Hono context. */
interface HonoContext {
  readonly req: { readonly raw: globalThis.Request }
  header(name: string, value: string): unknown
}

/** Return middleware for Hono. The handler calls `accessTokenOf(context.req.raw)`. */
export function honoBearer(verifier: TokenVerifier, options: BearerOptions = {}) {
  const { resource } = options
  return async (context: HonoContext, next: () => Promise<void>): Promise<Response | undefined> => {
    const { raw } = context.req
    const { method } = raw
    const path = pathOf(raw.url.replace(/^[^/]*\/\/[^/?#]*/, ''))
    if (path === resource?.metadataPath) return responseOf(metadataAnswer(resource, method))
    const [authorization, dpop] = ['authorization', 'dpop'].map((name) => headersNamed(name, raw.headers))
    const outcome = await admit(verifier, { authorization, dpop, method, path }, options)
    if (isRefusal(outcome)) return responseOf(refusalAnswer(outcome))
    admitted.set(raw, outcome)
    await next()
    for (const [name, value] of Object.entries((await resource?.dpop?.headers()) ?? {})) context.header(name, value)
    return undefined
  }
}

/** The response to a request that does not reach the handler. */
interface Answer {
  readonly status: number
  readonly headers: Record<string, string>
  readonly body?: string
}

/** Return the metadata. Pages of any origin may read them, and browsers first ask with which headers. */
function metadataAnswer(resource: ProtectedResource, method: string): Answer {
  const headers = {
    'content-type': 'application/json',
    'cache-control': 'public, max-age=300',
    'access-control-allow-origin': '*',
    'access-control-allow-headers': '*',
    'access-control-allow-methods': 'GET, HEAD',
    allow: 'GET, HEAD, OPTIONS',
  }
  if (method === 'GET') return { status: 200, headers, body: JSON.stringify(resource.metadata()) }
  return { status: method === 'OPTIONS' ? 204 : method === 'HEAD' ? 200 : 405, headers }
}

function refusalAnswer({ status, error, headers }: Refusal): Answer {
  const all = { 'content-type': 'application/json', 'cache-control': 'no-store', ...headers }
  return { status, headers: all, body: JSON.stringify({ error }) }
}

function responseOf({ status, headers, body }: Answer): Response {
  return new Response(body ?? null, { status, headers })
}

function pathOf(url: string): string {
  return url.replace(/[?#].*$/, '') || '/'
}

/** Return the headers of this name, or `undefined`. Adapters differ in the shape of headers. */
function headersNamed(name: string, headers: unknown): string[] | undefined {
  if (typeof headers !== 'object' || headers === null) return undefined
  const entries = isIterable(headers) ? [...headers] : Object.entries(headers)
  const found = entries.filter((entry) => String(entry[0]).toLowerCase() === name).flatMap(([, value]) => value)
  const given = found.filter((value) => value !== undefined && value !== null)
  return given.length === 0 ? undefined : given.map(String)
}

function isIterable(headers: object): headers is Iterable<readonly [unknown, unknown]> {
  return Symbol.iterator in headers
}

function isRefusal(outcome: AccessToken | Refusal): outcome is Refusal {
  return 'error' in outcome
}
