/** Base64url without padding (RFC 7515 section 2), in the one spelling that an encoder produces. */

import { base64url } from 'jose'

const CHARACTERS = /^[A-Za-z0-9_-]*$/ // a repeated group would exhaust the stack with a long text
/** The allowed last characters, by length modulo 4; `null`: all. */
const LAST = [null, '', 'AQgw', 'AEIMQUYcgkosw048'] as const

/** Decode base64url without padding (RFC 7515 section 2). Throw TypeError unless it is the spelling of an encoder.
 *
 * The last character can contain bits that belong to no octet (RFC 4648 section 3.5). They must be zero: otherwise one
 * signature would have up to sixteen spellings, and a token as many keys in caches.
 */
export function decodeBase64url(text: string): Uint8Array<ArrayBuffer> {
  const last = LAST[(text.length % 4) as 0 | 1 | 2 | 3]
  if (!CHARACTERS.test(text)) throw new TypeError('not base64url')
  if (last !== null && !last.includes(text.slice(-1))) throw new TypeError('not canonical base64url')
  return new Uint8Array(base64url.decode(text))
}
