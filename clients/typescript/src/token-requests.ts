/** Requests to an authorization server (RFC 6749 sections 4.1.3, 4.3, 4.4 and 6, RFC 7636, RFC 7009, RFC 7662). */

import { type Client, credentials, signedFields } from './client-authentication.js'
import type { Request } from './messages.js'

export function logIn(
  endpoint: string,
  client: Client,
  username: string,
  password: string,
  scope: string | null = null,
): Request {
  return formRequest(endpoint, client, { grant_type: 'password', ...scopeParameter(scope), username, password })
}

export function logInAsClient(endpoint: string, client: Client, scope: string | null = null): Request {
  return formRequest(endpoint, client, { grant_type: 'client_credentials', ...scopeParameter(scope) })
}

/** Redeem an authorization code. The same `idempotencyKey` returns the same tokens, as for `refresh`. */
export function redeem(
  endpoint: string,
  client: Client,
  code: string,
  redirectUri: string,
  codeVerifier: string,
  idempotencyKey: string,
): Request {
  const fields = { code, redirect_uri: redirectUri, code_verifier: codeVerifier }
  return repeatable(formRequest(endpoint, client, { grant_type: 'authorization_code', ...fields }), idempotencyKey)
}

/** Refresh. The same `idempotencyKey` returns the same tokens, so that the request can be repeated.
 *
 * Without `refreshToken`, it is in a cookie, here and in `revoke`.
 */
export function refresh(
  endpoint: string,
  client: Client,
  refreshToken: string | null,
  idempotencyKey: string,
): Request {
  const fields = { grant_type: 'refresh_token', ...(refreshToken !== null && { refresh_token: refreshToken }) }
  return repeatable(formRequest(endpoint, client, fields), idempotencyKey)
}

export function revoke(
  endpoint: string,
  client: Client,
  token: string | null,
  hint: 'refresh_token' | 'access_token',
): Request {
  return formRequest(endpoint, client, { ...(token !== null && { token }), token_type_hint: hint })
}

export function introspect(endpoint: string, client: Client, token: string): Request {
  return formRequest(endpoint, client, { token, token_type_hint: 'access_token' })
}

function repeatable(request: Request, idempotencyKey: string): Request {
  return { ...request, headers: { ...request.headers, 'idempotency-key': idempotencyKey } }
}

function scopeParameter(scope: string | null): Record<string, string> {
  return scope === null ? {} : { scope }
}

function formRequest(endpoint: string, client: Client, parameters: Record<string, string>): Request {
  const { headers, form } = credentials(client)
  const signed = signedFields(client)
  return {
    method: 'POST',
    url: endpoint,
    headers: { accept: 'application/json', 'content-type': 'application/x-www-form-urlencoded', ...headers },
    form: { ...parameters, ...form },
    ...(signed && { signedFields: signed }),
  }
}
