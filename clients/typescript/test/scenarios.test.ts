/** The public API runs the scenarios of tests/vectors, like that of Python. */

import { test } from 'node:test'
import { Scenario } from './scenario.js'
import { read } from './vectors.js'

for (const file of ['sessions', 'authorization', 'authorized_requests', 'verification', 'introspection']) {
  for (const scenario of read(`scenarios/${file}`)) {
    test(`${file}: ${scenario.name}`, () => new Scenario(scenario.options).run(scenario))
  }
}
