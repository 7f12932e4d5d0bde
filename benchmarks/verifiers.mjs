// The verifiers of verifiers.py based on jose: they read one token per line, and print their counts at the end.
import { createInterface } from 'node:readline'
import { createLocalJWKSet, createRemoteJWKSet, customFetch, decodeJwt, decodeProtectedHeader, jwtVerify } from 'jose-v6'

const { issuer, nodes, fixedSeconds } = JSON.parse(process.argv[2])
const JWKS = '/.well-known/jwks.json'

/** One fetch of the key set, at the next node, and past one that is away. */
async function fetchFrom(count, options) {
  for (let left = 10 * nodes.length; left > 0; left--) {
    const node = nodes[count.fetched % nodes.length]
    count.fetched += 1
    try {
      const response = await fetch(node + JWKS, options)
      if (response.ok) return response
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }
  throw new Error('no node gave the key set')
}

/** Keeps the key set for as long as `secondsOf` says of the answer. */
function kept(count, secondsOf) {
  let keys, fetching
  let goodUntil = 0
  async function fetchKeys() {
    const askedAt = performance.now()
    const response = await fetchFrom(count)
    keys = createLocalJWKSet(await response.json())
    goodUntil = askedAt + 1000 * secondsOf(response)
  }
  return async (header, token) => {
    if (performance.now() >= goodUntil) {
      fetching ??= fetchKeys().finally(() => (fetching = undefined))
      await fetching
    }
    return keys(header, token)
  }
}

const maxAge = (response) => Number(/max-age=(\d+)/.exec(response.headers.get('cache-control'))[1])

const ways = {
  honours: (count) => kept(count, maxAge),
  fixed: (count) => kept(count, () => fixedSeconds),
  // jose's own key set, which fetches again for an unknown kid.
  unknown: (count) =>
    createRemoteJWKSet(new URL(nodes[0] + JWKS), {
      cacheMaxAge: Infinity,
      cooldownDuration: 0,
      [customFetch]: (_, options) => fetchFrom(count, options),
    }),
}

const verifiers = Object.entries(ways).map(([name, way]) => {
  const count = { name: `jose ${name}`, verified: 0, fetched: 0, too_late: 0, failures: [] }
  return { count, keys: way(count) }
})

async function verify({ count, keys }, token) {
  try {
    await jwtVerify(token, keys, { issuer, audience: issuer, typ: 'at+jwt' })
    count.verified += 1
  } catch (error) {
    if (error.code === 'ERR_JWT_EXPIRED') count.too_late += 1
    else count.failures.push(`${error} ${JSON.stringify(decodeProtectedHeader(token))}`)
  }
}

const pending = new Set()
for await (const token of createInterface({ input: process.stdin })) {
  if (Date.now() >= 1000 * decodeJwt(token).exp) {
    for (const { count } of verifiers) count.too_late += 1
    continue
  }
  for (const verifier of verifiers) {
    const verification = verify(verifier, token).finally(() => pending.delete(verification))
    pending.add(verification)
  }
}
await Promise.all(pending)
for (const { count } of verifiers) console.log(JSON.stringify(count))
