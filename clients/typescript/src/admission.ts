/** Which requests a service admits: with a valid token of enough scope and, if the token is bound to a key, a proof. */

import type { AccessToken } from './access-token.js'
import { acceptedSchemes, presentedToken, type Refusal, refusal, type Scheme } from './challenges.js'
import { ClientError, InvalidTokenError } from './errors.js'
import type { ProtectedResource } from './protected-resource.js'
import { isObject } from './strict-json.js'

/** A Verifier or an Introspector. */
export interface TokenVerifier {
  verify(token: string): Promise<AccessToken>
}

export interface BearerOptions {
  /** Required of every request. */
  readonly scope?: readonly string[]
  readonly realm?: string
  /** With it, challenges lead to its metadata, and with its `dpop`, tokens that are bound to a key are accepted. */
  readonly resource?: ProtectedResource
  /** Called with the reason of a refusal, which contains no token. */
  readonly report?: (why: ClientError) => void
}

type Header = string | readonly string[] | null | undefined

/** What of a request matters here: its Authorization and DPoP headers, its method, and the path as it was sent. */
export interface PresentedRequest {
  readonly authorization?: Header
  readonly dpop?: Header
  readonly method?: string
  readonly path?: string
}

/** Return the token of the request if it is admitted, otherwise the refusal. */
export async function admit(
  verifier: TokenVerifier,
  request: PresentedRequest,
  { scope = [], realm = 'api', resource, report }: BearerOptions = {},
): Promise<AccessToken | Refusal> {
  let scheme: Scheme = 'Bearer'
  let why: ClientError | null = null
  try {
    const presented = presentedToken(listed(request.authorization), acceptedSchemes(resource ?? null))
    if (presented !== null) {
      scheme = presented[0]
      const verified = await verifier.verify(presented[1])
      if (scheme === 'Bearer') requireUnbound(verified)
      else await checkProof(resource, request, presented[1], verified)
      verified.requireScope(...scope)
      return verified
    }
  } catch (error) {
    if (!(error instanceof ClientError)) throw error
    why = error
    report?.(error)
  }
  const refused = refusal({ realm, scope, resource: resource ?? null }, why, scheme)
  return { ...refused, headers: { ...refused.headers, ...(await resource?.dpop?.headers()) } }
}

/** RFC 9449 section 7.2, RFC 8705 section 3: nothing proves the binding of a token after the scheme Bearer. */
function requireUnbound({ claims }: AccessToken): void {
  if (Object.hasOwn(claims, 'cnf')) throw new InvalidTokenError('cnf')
}

async function checkProof(
  resource: ProtectedResource | undefined,
  { dpop, method = 'GET', path = '/' }: PresentedRequest,
  accessToken: string,
  { claims: { cnf } }: AccessToken,
): Promise<void> {
  // A token that is also bound in another way is refused, because the other binding is not checked.
  if (!isObject(cnf) || typeof cnf.jkt !== 'string' || Object.keys(cnf).length > 1) throw new InvalidTokenError('cnf')
  // The origin is the one that clients know, because anyone can write any Host.
  const url = `${resource?.origin}${path}`
  await resource?.dpop?.check(listed(dpop), { method, url, accessToken, thumbprint: cnf.jkt })
}

function listed(header: Header): readonly string[] {
  return [header ?? []].flat()
}
