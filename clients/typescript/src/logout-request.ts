/** Logout by redirect (OpenID Connect RP-Initiated Logout 1.0). */

import { urlWith } from './authorization-request.js'
import type { Client } from './client-authentication.js'

/** Return the URL at which the browser logs out at the server. The state is sent with a redirect URI only. */
export function logoutUrl(
  endpoint: string,
  client: Client,
  idToken: string | null,
  postLogoutRedirectUri: string | null,
  state: string,
): string {
  return urlWith(endpoint, [
    ['id_token_hint', idToken],
    ['client_id', client.clientId],
    ['post_logout_redirect_uri', postLogoutRedirectUri],
    ['state', postLogoutRedirectUri === null ? null : state],
  ])
}
