/** Requests and answers as values. An answer that was lost, or never came, is `null`. */

import { type JsonObject, parseObject } from './strict-json.js'

/** One HTTP request; with a `form`, its body is that form. Header names are in lower case. */
export interface Request {
  readonly method: 'GET' | 'POST'
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly form?: Readonly<Record<string, string>>
}

/** What came back, read to its end. Header names are in lower case. */
export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** The object in the body; `null` where there is none (see `parseObject`). */
export function jsonObjectIn(answer: Answer, options?: { uniqueNames: boolean }): JsonObject | null {
  try {
    return parseObject(answer.body, options)
  } catch {
    return null
  }
}

/** application/x-www-form-urlencoded (RFC 6749 appendix B). */
export function formEncoded(parameters: Readonly<Record<string, string>>): string {
  return new URLSearchParams(parameters).toString()
}

/** One name or value of a form. */
export function encoded(text: string): string {
  return formEncoded({ '': text }).slice(1)
}
