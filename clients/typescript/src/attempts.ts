/** Attempts to get a usable response: how many, and the pauses between them. */

import { RefusedError, ServerUnavailableError } from './errors.js'
import type { Answer, Request } from './messages.js'
import type { Send } from './sending.js'
import { TryAgain } from './token-answers.js'

export const MAX_ATTEMPTS = 6
/** While the access token is still valid. */
export const EARLY_ATTEMPTS = 3
/** How long callers wait because the server asks for it. */
const MAX_WAIT_SECONDS = 5
const FIRST_PAUSE = 0.25
const LONGEST_PAUSE = 30

/** Return the seconds before the next attempt: doubled each time, half of it random, at least `after`.
 *
 * Throw ServerUnavailableError if this was the last one, or if the server asks for more time than callers wait.
 */
export function pause(attempt: number, maxAttempts: number, after: number | null, jitter: number): number {
  const longest = Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (attempt - 1))
  const seconds = Math.max(after ?? 0, (longest * (1 + jitter)) / 2)
  if (attempt >= maxAttempts || (after ?? 0) > MAX_WAIT_SECONDS) {
    throw new ServerUnavailableError(`attempt ${attempt} had no usable response`, Math.max(seconds, 1))
  }
  return seconds
}

/** Wait before the next attempt. Reject with ServerUnavailableError if there is none; see `pause`. */
export async function wait(attempt: number, maxAttempts: number, after: number | null = null): Promise<void> {
  const seconds = pause(attempt, maxAttempts, after, Math.random())
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000))
}

/** Send the request until its response is usable. Reject with RefusedError, or ServerUnavailableError. */
export async function sendUntilUsable<Result>(
  send: Send,
  request: Request,
  judge: (answer: Answer | null) => Result | TryAgain | RefusedError,
  maxAttempts: number,
): Promise<Result> {
  for (let attempt = 1; ; attempt += 1) {
    const judged = judge(await send(request))
    if (judged instanceof RefusedError) throw judged
    if (!(judged instanceof TryAgain)) return judged
    await wait(attempt, maxAttempts, judged.after)
  }
}
