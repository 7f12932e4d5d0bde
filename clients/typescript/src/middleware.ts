/** Middleware for Express, Hono and similar: requires a valid access token, and answers refused requests (RFC 6750). */

import type { AccessToken } from './access-token.js'
import { bearerToken, type Refusal, refusal } from './challenges.js'
import { ClientError, InvalidTokenError } from './errors.js'

/** A Verifier or an Introspector. */
export interface TokenVerifier {
  verify(token: string): Promise<AccessToken>
}

export interface BearerOptions {
  /** Required of every request. */
  readonly scope?: readonly string[]
  readonly realm?: string
  /** Called with the reason of a refusal, which contains no token. */
  readonly report?: (why: ClientError) => void
}

const admitted = new WeakMap<object, AccessToken>()

/** Return the verified token of this request. Throw TypeError if the middleware is not mounted for it. */
export function accessTokenOf(request: object): AccessToken {
  const token = admitted.get(request)
  if (token === undefined) throw new TypeError('this request has no verified token: mount bearer() before the handler')
  return token
}

/** Return the token in these Authorization headers if it is valid and has the scope, otherwise the refusal. */
export async function admit(
  verifier: TokenVerifier,
  authorization: string | readonly string[] | null | undefined,
  { scope = [], realm = 'api', report }: BearerOptions = {},
): Promise<AccessToken | Refusal> {
  try {
    const token = bearerToken([authorization ?? []].flat())
    if (token === null) return refusal(realm, null)
    const verified = await verifier.verify(token)
    // RFC 9449 section 7.2, RFC 8705 section 3: no proof of possession is checked here.
    if (Object.hasOwn(verified.claims, 'cnf')) throw new InvalidTokenError('cnf')
    verified.requireScope(...scope)
    return verified
  } catch (why) {
    if (!(why instanceof ClientError)) throw why
    report?.(why)
    return refusal(realm, why)
  }
}

/** The used part of requests and responses of node:http, Express and compatible frameworks. */
interface NodeRequest {
  readonly headersDistinct?: unknown
  readonly headers?: unknown
}
interface NodeResponse {
  writeHead(status: number, headers: Record<string, string>): { end(body: string): unknown }
}

/** Return middleware for Express and compatible frameworks. The handler calls `accessTokenOf(request)`. */
export function bearer(verifier: TokenVerifier, options: BearerOptions = {}) {
  return async (request: NodeRequest, response: NodeResponse, next: (error?: unknown) => void): Promise<void> => {
    let outcome: AccessToken | Refusal
    try {
      outcome = await admit(
        verifier,
        authorizationOf(request.headersDistinct) ?? authorizationOf(request.headers),
        options,
      )
    } catch (error) {
      next(error)
      return
    }
    if (isRefusal(outcome)) {
      response.writeHead(outcome.status, headersOf(outcome)).end(bodyOf(outcome))
      return
    }
    admitted.set(request, outcome)
    next()
  }
}

/** The used part of a Hono context. */
interface HonoContext {
  readonly req: { readonly raw: globalThis.Request }
}

/** Return middleware for Hono. The handler calls `accessTokenOf(context.req.raw)`. */
export function honoBearer(verifier: TokenVerifier, options: BearerOptions = {}) {
  return async ({ req: { raw } }: HonoContext, next: () => Promise<void>): Promise<Response | undefined> => {
    const outcome = await admit(verifier, authorizationOf(raw.headers), options)
    if (isRefusal(outcome))
      return new Response(bodyOf(outcome), { status: outcome.status, headers: headersOf(outcome) })
    admitted.set(raw, outcome)
    await next()
    return undefined
  }
}

/** Return the Authorization headers, or `undefined`. Adapters differ in the shape of headers. */
function authorizationOf(headers: unknown): string[] | undefined {
  if (typeof headers !== 'object' || headers === null) return undefined
  const entries = isIterable(headers) ? [...headers] : Object.entries(headers)
  const found = entries
    .filter((entry) => String(entry[0]).toLowerCase() === 'authorization')
    .flatMap(([, value]) => value)
  const given = found.filter((value) => value !== undefined && value !== null)
  return given.length === 0 ? undefined : given.map(String)
}

function isIterable(headers: object): headers is Iterable<readonly [unknown, unknown]> {
  return Symbol.iterator in headers
}

function isRefusal(outcome: AccessToken | Refusal): outcome is Refusal {
  return 'error' in outcome
}

function headersOf(refused: Refusal): Record<string, string> {
  return { 'content-type': 'application/json', 'cache-control': 'no-store', ...refused.headers }
}

function bodyOf({ error }: Refusal): string {
  return JSON.stringify({ error })
}
