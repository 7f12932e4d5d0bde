/** Pauses without delay: timers run as soon as no other work is pending. */

import { mock } from 'node:test'

/** Return the result of the work; each pause within it ends immediately. */
export async function hurried<Value>(work: () => Promise<Value>): Promise<Value> {
  mock.timers.enable({ apis: ['setTimeout'] })
  try {
    const settled = { yet: false }
    const result = work().finally(() => {
      settled.yet = true
    })
    result.catch(() => undefined)
    while (!settled.yet) {
      await new Promise((resolve) => setImmediate(resolve))
      mock.timers.tick(60_000)
    }
    return await result
  } finally {
    mock.timers.reset()
  }
}
