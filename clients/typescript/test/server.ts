/** An authorization server in this process, behind a `fetch`, which tests can inspect and break. */

import { deflateSync } from 'node:zlib'
import { type CryptoKey, exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose'

export const ISSUER = 'https://as.example'
export const AUDIENCE = 'https://api.example'

interface Key {
  readonly kid: string
  readonly privateKey: CryptoKey
  readonly jwk: JWK
}

/** Outcome of a request: it is answered, its response is lost, or it never arrives. */
type Fault = 'none' | 'answer lost' | 'away' | Response

export class Server {
  /** Seconds since 1970; only tests change it. */
  now = 1_800_000_000
  /** Requested paths, in order. */
  readonly asked: string[] = []
  readonly idempotencyKeys: string[] = []
  readonly ended = new Set<number>()
  /** Outcomes of the next requests, by path; later ones are answered. */
  readonly faults = new Map<string, Fault[]>()
  isAway = false
  reuses = 0
  keys: Key[] = []
  ttl = 2
  introspected: unknown = { active: false }
  #generation = 0
  #session = 0
  #last: { presented: string; key: string; answer: string } | null = null
  #current = ''

  readonly fetch = async (input: string | URL | globalThis.Request, init: RequestInit = {}): Promise<Response> => {
    const { pathname } = new URL(String(input))
    this.asked.push(pathname)
    const fault = this.isAway ? 'away' : (this.faults.get(pathname)?.shift() ?? 'none')
    if (fault === 'away') throw new TypeError('fetch failed')
    if (fault instanceof Response) return fault
    const response = await this.#answer(
      pathname,
      new URLSearchParams(String(init.body ?? '')),
      new Headers(init.headers),
    )
    if (fault === 'answer lost') throw new TypeError('fetch failed')
    return response
  }

  times(path: string): number {
    return this.asked.filter((one) => one === path).length
  }

  async addKey(kid: string): Promise<void> {
    const { privateKey, publicKey } = await generateKeyPair('RS256', { extractable: true })
    this.keys.unshift({ kid, privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg: 'RS256', use: 'sig' } })
  }

  /** Return an access token for AUDIENCE, signed by the newest key; `claims` replace the default ones. */
  async accessToken(claims: Record<string, unknown> = {}): Promise<string> {
    const usual = { iss: ISSUER, aud: AUDIENCE, sub: 'u_1', client_id: 'app', jti: crypto.randomUUID(), scope: 'read' }
    return this.sign('at+jwt', { ...usual, iat: this.now, exp: this.now + 600, ...claims })
  }

  async sign(typ: string, claims: Record<string, unknown>): Promise<string> {
    const [key] = this.keys
    if (key === undefined) throw new Error('addKey first')
    return new SignJWT(claims).setProtectedHeader({ typ, alg: 'RS256', kid: key.kid }).sign(key.privateKey)
  }

  async #answer(path: string, form: URLSearchParams, headers: Headers): Promise<Response> {
    if (path === '/.well-known/oauth-authorization-server') return Response.json(METADATA)
    if (path === '/jwks') return Response.json({ keys: this.keys.map(({ jwk }) => jwk) }, maxAge(300))
    if (path === '/token') return this.#token(form, headers.get('idempotency-key') ?? '')
    if (path === '/revoke') return new Response('')
    if (path === '/introspect') return Response.json(this.introspected)
    if (path === '/status/0') return new Response(await this.#statusList(), maxAge(this.ttl))
    return new Response('', { status: 404 })
  }

  #token(form: URLSearchParams, key: string): Response {
    const presented = form.get('refresh_token') ?? ''
    if (form.get('grant_type') !== 'refresh_token') {
      if (form.get('password') === 'wrong') return Response.json({ error: 'invalid_grant' }, { status: 400 })
      this.#session += 1
      return new Response(this.#issue())
    }
    this.idempotencyKeys.push(key)
    if (presented === this.#last?.presented && key === this.#last.key) return new Response(this.#last.answer)
    if (presented !== this.#current) {
      this.reuses += 1
      return Response.json({ error: 'invalid_grant' }, { status: 400 })
    }
    const answer = this.#issue()
    this.#last = { presented, key, answer }
    return new Response(answer)
  }

  #issue(): string {
    this.#generation += 1
    this.#current = `refresh-${this.#session}-${this.#generation}`
    const issued = { access_token: `access-${this.#session}-${this.#generation}`, refresh_token: this.#current }
    return JSON.stringify({ ...issued, token_type: 'Bearer', expires_in: 600, scope: 'read' })
  }

  /** End the session: its next refresh is refused. */
  end(): void {
    this.#current = 'ended'
    this.#last = null
  }

  async #statusList(): Promise<string> {
    const statuses = new Uint8Array(1024)
    for (const idx of this.ended) statuses[idx >> 3] = (statuses[idx >> 3] ?? 0) | (1 << (idx & 7))
    const lst = deflateSync(statuses).toString('base64url')
    const times = { iat: this.now, exp: this.now + 300, ttl: this.ttl }
    return this.sign('statuslist+jwt', { iss: ISSUER, sub: STATUS_LIST, ...times, status_list: { bits: 1, lst } })
  }
}

export const STATUS_LIST = `${ISSUER}/status/0`

/** Return the `status` claim of a token with this index. */
export function statusClaim(idx: number): { status: { status_list: { idx: number; uri: string } } } {
  return { status: { status_list: { idx, uri: STATUS_LIST } } }
}

const METADATA = {
  issuer: ISSUER,
  token_endpoint: `${ISSUER}/token`,
  revocation_endpoint: `${ISSUER}/revoke`,
  introspection_endpoint: `${ISSUER}/introspect`,
  jwks_uri: `${ISSUER}/jwks`,
}

function maxAge(seconds: number): ResponseInit {
  return { headers: { 'cache-control': `public, max-age=${seconds}` } }
}
