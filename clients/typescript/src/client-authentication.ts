/** Client authentication (RFC 6749 section 2.3). */

import { encoded } from './messages.js'

export type Method = 'client_secret_basic' | 'client_secret_post' | 'none'

/** A registered client. Without a secret it is public; with a secret, the default `method` is HTTP Basic. */
export interface Client {
  readonly clientId: string
  readonly secret?: string
  readonly method?: Method
}

/** Return the additions to the request's headers and form. Throw TypeError if secret and method do not match. */
export function credentials(client: Client): { headers: Record<string, string>; form: Record<string, string> } {
  const { clientId, secret } = client
  const method = client.method ?? (secret === undefined ? 'none' : 'client_secret_basic')
  if ((secret === undefined) !== (method === 'none')) {
    throw new TypeError('client_secret_basic and client_secret_post require a secret; the method none allows none')
  }
  if (secret === undefined) return { headers: {}, form: { client_id: clientId } }
  if (method === 'client_secret_post') return { headers: {}, form: { client_id: clientId, client_secret: secret } }
  // Section 2.3.1: id and secret are form-encoded before they are joined.
  return { headers: { authorization: `Basic ${btoa(`${encoded(clientId)}:${encoded(secret)}`)}` }, form: {} }
}
