/** HTTP requests and responses as values. A response that was lost is `null`. */

import { type JsonObject, parseObject } from './strict-json.js'

/** An HTTP request; with a `form`, the body is that form. Header names are in lower case. */
export interface Request {
  readonly method: 'GET' | 'POST'
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly form?: Readonly<Record<string, string>>
  /** Makes further fields of the form for each attempt to send it: a signature is accepted once. */
  readonly signedFields?: () => Promise<Readonly<Record<string, string>>>
  /** Whether the browser sends its cookies for that server, and keeps new ones. */
  readonly withCookies?: boolean
}

/** An HTTP response, read completely. Header names are in lower case. */
export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** Return the object in the body, or `null` if there is none (see `parseObject`). */
export function jsonObjectIn(answer: Answer, options?: { uniqueNames: boolean }): JsonObject | null {
  try {
    return parseObject(answer.body, options)
  } catch {
    return null
  }
}

/** Encode as application/x-www-form-urlencoded (RFC 6749 appendix B). */
export function formEncoded(parameters: Readonly<Record<string, string>>): string {
  return new URLSearchParams(parameters).toString()
}

/** Encode one name or value of a form. */
export function encoded(text: string): string {
  return formEncoded({ '': text }).slice(1)
}
