/** Pauses that take no time: timers run as soon as nobody is at work. */

import { mock } from 'node:test'

/** What became of the work; every pause within it is over at once. */
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
