/** Addresses that secrets and trust may travel to: https, or http on this very machine. */

import { UntrustedServerError } from './errors.js'

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/
const UNPRINTED = /[^\x21-\x7E]|\\/

/** An absolute https URL, or http on loopback, without credentials and fragment. Throws UntrustedServerError for any other. */
export function requireSecure(address: string): URL {
  const url = URL.canParse(address) ? new URL(address) : null
  if (url === null || UNPRINTED.test(address) || !/^https?:\/\/[^/]/i.test(address)) {
    throw new UntrustedServerError(`not an address that is safe to use: ${JSON.stringify(address)}`)
  }
  if (url.username !== '' || url.password !== '' || address.includes('#')) {
    throw new UntrustedServerError('an address has neither credentials nor a fragment')
  }
  if (url.protocol !== 'https:' && !LOOPBACK.test(url.hostname)) {
    throw new UntrustedServerError(`${JSON.stringify(address)} is not https; http is for loopback only`)
  }
  return url
}

/** Scheme, host and port (RFC 6454), the default port left out. Throws UntrustedServerError where `address` is not secure. */
export function originOf(address: string): string {
  return requireSecure(address).origin
}
