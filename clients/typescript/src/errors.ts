/** Everything that is thrown. No message holds a token, a password or a secret. */

/** What all errors of this package have in common. */
export class ClientError extends Error {
  constructor(message: string, options?: { cause: unknown }) {
    super(message, options)
    this.name = new.target.name
  }
}

/** The session is over, or there is none: log in (again). Nothing else means that. */
export class LoginRequiredError extends ClientError {}

/** No usable answer came, however often it was asked for; what was kept is kept. `retryAfter` is in seconds. */
export class ServerUnavailableError extends ClientError {
  readonly retryAfter: number

  constructor(message: string, retryAfter = 1) {
    super(message)
    this.retryAfter = retryAfter
  }
}

/** The server said no (RFC 6749 section 5.2); `error` is its code, or `http_404` and the like where it gave none. */
export class RefusedError extends ClientError {
  readonly error: string
  readonly description: string

  constructor(error: string, description = '') {
    super(description === '' ? error : `${error}: ${description}`)
    this.error = error
    this.description = description
  }
}

/** An address that is neither https nor loopback, or metadata that speaks of another issuer. */
export class UntrustedServerError extends ClientError {}

/** The storage cannot be read, written or locked; `cause` is what it threw. */
export class StorageUnusableError extends ClientError {}

/** The token is not good here. `reason` is for the log; the caller is told `invalid_token`, and nothing more. */
export class InvalidTokenError extends ClientError {
  readonly reason: string

  constructor(reason: string) {
    super(reason)
    this.reason = reason
  }
}

/** The token is good, and may not do this; `scope` is what the request needs, parted by spaces. */
export class InsufficientScopeError extends ClientError {
  readonly scope: string

  constructor(scope: string) {
    super(`needs the scope ${scope}`)
    this.scope = scope
  }
}

/** The Authorization header is no header of RFC 6750 section 2.1. */
export class MalformedRequestError extends ClientError {}

/** Nobody can say just now whether the token is good. `retryAfter` is in seconds. */
export class VerificationUnavailableError extends ClientError {
  readonly retryAfter: number

  constructor(message: string, retryAfter = 1) {
    super(message)
    this.retryAfter = retryAfter
  }
}
