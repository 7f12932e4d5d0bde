/** Secure URLs: https, or http on loopback. */

import { UntrustedServerError } from './errors.js'

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/
const UNPRINTED = /[^\x21-\x7E]|\\/

/** Return the URL. Throw UntrustedServerError unless it is absolute, https or loopback, without credentials and fragment. */
export function requireSecure(address: string): URL {
  const url = URL.canParse(address) ? new URL(address) : null
  if (url === null || UNPRINTED.test(address) || !/^https?:\/\/[^/]/i.test(address)) {
    throw new UntrustedServerError(`not a secure absolute URL: ${shown(address)}`)
  }
  if (url.username !== '' || url.password !== '' || address.includes('#')) {
    throw new UntrustedServerError('the URL must have neither credentials nor a fragment')
  }
  if (url.protocol !== 'https:' && !LOOPBACK.test(url.hostname)) {
    throw new UntrustedServerError(`${shown(address)} is not https; http is allowed on loopback only`)
  }
  return url
}

/** Return scheme, host and port without a default port (RFC 6454). Throw UntrustedServerError if not secure. */
export function originOf(address: string): string {
  return requireSecure(address).origin
}

/** Return the address for a message: without credentials, query and fragment. */
function shown(address: string): string {
  return JSON.stringify(address.slice(address.lastIndexOf('@') + 1).replace(/[?#].*/s, ''))
}
