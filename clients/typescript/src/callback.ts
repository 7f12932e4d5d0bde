/** Redirects back to the app (RFC 6749 section 4.1.2, RFC 9207, OpenID Connect RP-Initiated Logout). */

import type { PendingAuthorization } from './authorization-request.js'
import {
  AccessDeniedError,
  type ClientError,
  InteractionRequiredError,
  InvalidCallbackError,
  RefusedError,
  ServerUnavailableError,
} from './errors.js'
import { printable } from './token-answers.js'

const MAX_PENDING_SECONDS = 3600
const URL_START = /^[A-Za-z][A-Za-z0-9+.-]*:/
const NAMES: readonly string[] = ['state', 'iss', 'code', 'error', 'error_description']
const PASSING: readonly string[] = ['server_error', 'temporarily_unavailable']
const INTERACTION: readonly string[] = [
  'login_required',
  'interaction_required',
  'consent_required',
  'account_selection_required',
]

/** Return the code in a redirect: its URL, its query or, with `form_post`, its form. Ignore unknown parameters.
 *
 * Throw InvalidCallbackError for `duplicate`, `state`, `iss`, `expired` or `code`, checked in this order; after
 * `expired`, throw the error that the server states: AccessDeniedError, InteractionRequiredError, ServerUnavailableError
 * or RefusedError.
 */
export function codeIn(callback: string, pending: PendingAuthorization, now: number): string {
  const parameters = parametersIn(callback)
  checkState(parameters, pending.state)
  // RFC 9207 section 2.4.
  if (parameters.get('iss') !== pending.issuer) throw new InvalidCallbackError('iss')
  if (now >= pending.begunAt + MAX_PENDING_SECONDS) throw new InvalidCallbackError('expired')
  const [code, error] = [parameters.get('code'), parameters.get('error')]
  if (error && code === undefined) {
    throw refusal(printable(error), printable(parameters.get('error_description') ?? ''))
  }
  if (!code || error !== undefined) throw new InvalidCallbackError('code')
  return code
}

/** Check the redirect after a logout. Throw InvalidCallbackError for `duplicate` or `state`. */
export function checkLogoutCallback(callback: string, state: string): void {
  checkState(parametersIn(callback), state)
}

/** Throw InvalidCallbackError unless the state is that of the request, compared in constant time. */
function checkState(parameters: ReadonlyMap<string, string>, state: string): void {
  const presented = parameters.get('state') ?? ''
  let difference = presented.length ^ state.length
  for (let index = 0; index < state.length; index += 1) {
    difference |= presented.charCodeAt(index) ^ state.charCodeAt(index)
  }
  if (state === '' || difference !== 0) throw new InvalidCallbackError('state')
}

/** Return the parameters of a response; the redirect URI may have others. Throw InvalidCallbackError. */
function parametersIn(callback: string): Map<string, string> {
  const text = URL_START.test(callback) ? afterFirst('?', callback) : callback.replace(/^\?/, '')
  const [query = ''] = text.split('#')
  const pairs = [...new URLSearchParams(query)].filter(([name]) => NAMES.includes(name))
  const parameters = new Map(pairs)
  if (parameters.size < pairs.length) throw new InvalidCallbackError('duplicate') // RFC 6749 section 3.1
  return parameters
}

function afterFirst(mark: string, text: string): string {
  return text.includes(mark) ? text.slice(text.indexOf(mark) + 1) : ''
}

function refusal(error: string, description: string): ClientError {
  if (PASSING.includes(error)) {
    return new ServerUnavailableError(description === '' ? error : `${error}: ${description}`)
  }
  if (error === 'access_denied') return new AccessDeniedError(error, description)
  const Kind = INTERACTION.includes(error) ? InteractionRequiredError : RefusedError
  return new Kind(error, description)
}
