/** Benchmark of access token verification: jose with its remote key set, and this package without and with its cache.
 *
 * All variants run in turn, in one process, over the same tokens. The result is the processor time of all threads in the
 * best round, because a busy machine only adds time.
 */

import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Verifier } from '@jeton/client'
import { createRemoteJWKSet, exportJWK, generateKeyPair, jwtVerify, SignJWT } from 'jose'

const TOKENS = 500
const ROUNDS = 30
const AUDIENCE = 'https://api.example'

const { publicKey, privateKey } = await generateKeyPair('RS256', { extractable: true })
const jwk = { ...(await exportJWK(publicKey)), kid: 'one', alg: 'RS256', use: 'sig' }
const server = createServer((request, response) => {
  response.setHeader('cache-control', 'max-age=300')
  response.end(JSON.stringify(request.url === '/jwks' ? { keys: [jwk] } : { issuer, jwks_uri: `${issuer}/jwks` }))
}).listen(0, '127.0.0.1')
await new Promise((resolve) => server.once('listening', resolve))
const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

const tokens = await Promise.all(
  Array.from({ length: TOKENS }, (_, number) =>
    new SignJWT({ client_id: 'app', scope: 'read write', roles: ['clerk'], sid: 's_1' })
      .setProtectedHeader({ alg: 'RS256', typ: 'at+jwt', kid: 'one' })
      .setIssuer(issuer)
      .setAudience(AUDIENCE)
      .setSubject(`u_${number}`)
      .setJti(crypto.randomUUID())
      .setIssuedAt()
      .setExpirationTime('1h')
      .sign(privateKey),
  ),
)

const keys = createRemoteJWKSet(new URL(`${issuer}/jwks`))
const rules = {
  issuer,
  audience: AUDIENCE,
  algorithms: ['RS256'],
  typ: 'at+jwt',
  requiredClaims: ['exp', 'iat', 'sub', 'jti', 'client_id'],
}
const uncached = new Verifier({ issuer, audience: AUDIENCE, maxCacheEntries: 0 })
const cached = new Verifier({ issuer, audience: AUDIENCE })
const contestants: Record<string, (token: string) => Promise<unknown>> = {
  'jose, remote key set': (token) => jwtVerify(token, keys, rules),
  'Verifier, no cache': (token) => uncached.verify(token),
  'Verifier, cached': (token) => cached.verify(token),
}

const best = new Map<string, number>()
for (let round = 0; round < ROUNDS; round += 1) {
  for (const [name, verify] of Object.entries(contestants)) {
    const begun = process.cpuUsage()
    for (const token of tokens) await verify(token)
    const { user, system } = process.cpuUsage(begun)
    const microseconds = (user + system) / TOKENS
    // The first round fetches keys, compiles and fills the cache.
    if (round > 0) best.set(name, Math.min(best.get(name) ?? Number.POSITIVE_INFINITY, microseconds))
  }
}
server.close()

const [reference = 0] = best.values()
for (const [name, microseconds] of best) {
  const ratio = (reference / microseconds).toFixed(2)
  console.log(
    `${name.padEnd(22)} ${microseconds.toFixed(2).padStart(8)} µs per token  ${ratio.padStart(7)} times as fast`,
  )
}
