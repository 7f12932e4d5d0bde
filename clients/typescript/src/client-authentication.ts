/** Client authentication (RFC 6749 section 2.3, RFC 7523 section 2.2). */

import { encoded } from './messages.js'

export type Method = 'client_secret_basic' | 'client_secret_post' | 'private_key_jwt' | 'none'

const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
/** Of each method: whether it needs a secret, and whether a key. */
const NEEDS: Readonly<Record<Method, readonly [boolean, boolean]>> = {
  client_secret_basic: [true, false],
  client_secret_post: [true, false],
  private_key_jwt: [false, true],
  none: [false, false],
}

/** A registered client. Without secret and key it is public; with a secret, the default `method` is HTTP Basic.
 *
 * With a `key`, it signs each of its requests to an `issuer`, which sessions and introspectors set to theirs.
 */
export interface Client {
  readonly clientId: string
  readonly secret?: string
  readonly method?: Method
  /** A ClientKey. */
  readonly key?: { assertion(clientId: string, issuer: string): Promise<string> }
  readonly issuer?: string
}

/** Return the additions to the request's headers and form. Throw TypeError if secret, key and method do not match. */
export function credentials(client: Client): { headers: Record<string, string>; form: Record<string, string> } {
  const { clientId, secret, key } = client
  const method = methodOf(client)
  const [needsSecret, needsKey] = NEEDS[method]
  if ((secret !== undefined) !== needsSecret || (key !== undefined) !== needsKey) {
    throw new TypeError(
      'client_secret_basic and client_secret_post require a secret, private_key_jwt a key, none neither',
    )
  }
  if (secret === undefined) return { headers: {}, form: { client_id: clientId } }
  if (method === 'client_secret_post') return { headers: {}, form: { client_id: clientId, client_secret: secret } }
  // Section 2.3.1: id and secret are form-encoded before they are joined.
  return { headers: { authorization: `Basic ${btoa(`${encoded(clientId)}:${encoded(secret)}`)}` }, form: {} }
}

/** Return what makes the signed fields of each attempt to send a request, or `undefined` for a client without a key. */
export function signedFields({
  clientId,
  key,
  issuer = '',
}: Client): (() => Promise<Record<string, string>>) | undefined {
  if (key === undefined) return undefined
  return async () => ({
    client_assertion_type: ASSERTION_TYPE,
    client_assertion: await key.assertion(clientId, issuer),
  })
}

function methodOf({ method, secret, key }: Client): Method {
  if (method !== undefined) return method
  if (key !== undefined) return 'private_key_jwt'
  return secret === undefined ? 'none' : 'client_secret_basic'
}
