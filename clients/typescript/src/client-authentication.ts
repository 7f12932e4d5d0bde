/** How a client says who it is (RFC 6749 section 2.3). */

import { encoded } from './messages.js'

export type Method = 'client_secret_basic' | 'client_secret_post' | 'none'

/** A registered client. Without a secret it is public; with one, and no `method`, it uses HTTP Basic. */
export interface Client {
  readonly clientId: string
  readonly secret?: string
  readonly method?: Method
}

/** What to add to a request's headers, and to its form. Throws TypeError where secret and method do not go together. */
export function credentials(client: Client): { headers: Record<string, string>; form: Record<string, string> } {
  const { clientId, secret } = client
  const method = client.method ?? (secret === undefined ? 'none' : 'client_secret_basic')
  if ((secret === undefined) !== (method === 'none')) {
    throw new TypeError('a secret goes with client_secret_basic or client_secret_post, none with the method none')
  }
  if (secret === undefined) return { headers: {}, form: { client_id: clientId } }
  if (method === 'client_secret_post') return { headers: {}, form: { client_id: clientId, client_secret: secret } }
  // Section 2.3.1: each of the two is form-encoded before they are joined.
  return { headers: { authorization: `Basic ${btoa(`${encoded(clientId)}:${encoded(secret)}`)}` }, form: {} }
}
