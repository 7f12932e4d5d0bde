/** Base64url without padding (RFC 7515 section 2), in the one spelling that an encoder produces. */

import { base64url } from 'jose'

const BASE64URL = /^(?:[A-Za-z0-9_-]{4})*(?:[A-Za-z0-9_-][AQgw]|[A-Za-z0-9_-]{2}[AEIMQUYcgkosw048])?$/

/** Decode base64url without padding (RFC 7515 section 2). Throw TypeError unless it is the spelling of an encoder.
 *
 * The last character can contain bits that belong to no octet (RFC 4648 section 3.5). They must be zero: otherwise one
 * signature would have up to sixteen spellings, and a token as many keys in caches.
 */
export function decodeBase64url(text: string): Uint8Array<ArrayBuffer> {
  if (!BASE64URL.test(text)) throw new TypeError('not base64url')
  return new Uint8Array(base64url.decode(text))
}
