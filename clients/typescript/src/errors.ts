/** Errors of this package. No message contains a token, a password or a secret. */

/** Superclass of all errors of this package. */
export class ClientError extends Error {
  constructor(message: string, options?: { cause: unknown }) {
    super(message, options)
    this.name = new.target.name
  }
}

/** There is no session, or it has ended: a login is required. No other error means this. */
export class LoginRequiredError extends ClientError {}

/** No usable response after all attempts. The session is kept. `retryAfter` is in seconds. */
export class ServerUnavailableError extends ClientError {
  readonly retryAfter: number

  constructor(message: string, retryAfter = 1) {
    super(message)
    this.retryAfter = retryAfter
  }
}

/** A refusal by the server (RFC 6749 section 5.2); `error` is its code, or for example `http_404` without one. */
export class RefusedError extends ClientError {
  readonly error: string
  readonly description: string

  constructor(error: string, description = '') {
    super(description === '' ? error : `${error}: ${description}`)
    this.error = error
    this.description = description
  }
}

/** The person, or the server for them, refused the authorization: `access_denied` (RFC 6749 section 4.1.2.1). */
export class AccessDeniedError extends RefusedError {}

/** The server must show a page, but the request has `prompt=none` (OpenID Connect Core 3.1.2.6). */
export class InteractionRequiredError extends RefusedError {}

/** The redirect does not answer this request: begin again. `reason` is for the log. */
export class InvalidCallbackError extends ClientError {
  readonly reason: string

  constructor(reason: string) {
    super(reason)
    this.reason = reason
  }
}

/** A URL that is neither https nor loopback, or metadata that names another issuer. */
export class UntrustedServerError extends ClientError {}

/** The storage cannot be read, written or locked; `cause` is the original error. */
export class StorageUnusableError extends ClientError {}

/** The token is not valid here. `reason` is for the log; callers see only `invalid_token`. */
export class InvalidTokenError extends ClientError {
  readonly reason: string

  constructor(reason: string) {
    super(reason)
    this.reason = reason
  }
}

/** The DPoP proof is not valid for this request. `reason` is for the log. */
export class InvalidProofError extends ClientError {
  readonly reason: string

  constructor(reason: string) {
    super(reason)
    this.reason = reason
  }
}

/** The DPoP proof lacks a current nonce: the client repeats its request with the one in the response. */
export class NonceRequiredError extends ClientError {
  constructor() {
    super('the proof has no current nonce')
  }
}

/** The token is valid but lacks scope; `scope` is what the request requires, separated by spaces. */
export class InsufficientScopeError extends ClientError {
  readonly scope: string

  constructor(scope: string) {
    super(`requires the scope ${scope}`)
    this.scope = scope
  }
}

/** The Authorization header is malformed (RFC 6750 section 2.1). */
export class MalformedRequestError extends ClientError {}

/** The token cannot be verified at the moment. `retryAfter` is in seconds. */
export class VerificationUnavailableError extends ClientError {
  readonly retryAfter: number

  constructor(message: string, retryAfter = 1) {
    super(message)
    this.retryAfter = retryAfter
  }
}
