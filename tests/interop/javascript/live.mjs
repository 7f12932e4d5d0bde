// The live server and its accounts, as the test that starts these scripts describes them.

export const live = JSON.parse(process.env.JETON_LIVE)

/** A login with the client `web-basic` by bare fetch, with no OAuth library between. */
export async function tokenResponse(parameters = {}) {
  const credentials = Buffer.from(`web-basic:${live.secrets['web-basic']}`).toString('base64')
  const form = { grant_type: 'password', username: live.username, password: live.password, ...parameters }
  const response = await fetch(`${live.issuer}/oauth/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${credentials}` },
    body: new URLSearchParams(form),
  })
  if (response.status !== 200) throw new Error(`login: ${response.status} ${await response.text()}`)
  return response.json()
}

/** The private key of the client `web-key`, with its kid. */
export async function clientKey() {
  const { kid, ...jwk } = live.key
  return { kid, key: await crypto.subtle.importKey('jwk', jwk, { name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign']) }
}

/** The token with one part (0: header, 1: claims) changed, and the signature it had. */
export function tamper(token, part, changes) {
  const parts = token.split('.')
  const changed = { ...JSON.parse(Buffer.from(parts[part], 'base64url')), ...changes }
  parts[part] = Buffer.from(JSON.stringify(changed)).toString('base64url')
  return parts.join('.')
}

/** Lets the user sign in and decide about this authorization request. Returns the URL at which the client is answered. */
export async function authorize(url, decision = 'allow') {
  const response = await fetch(`${live.person_url}?${new URLSearchParams({ url, decision })}`)
  return new URL(await response.text())
}
