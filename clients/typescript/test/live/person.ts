/** A person who signs in at the server's pages and allows what an app asks, in a browser without scripts. */

const MAX_STEPS = 10

interface Form {
  readonly action: string
  readonly fields: URLSearchParams
}

export class Person {
  readonly #answers: Record<string, string>

  constructor(username: string, password: string) {
    this.#answers = { username, password, decision: 'allow' }
  }

  /** Open an authorization URL. Return the URL at which the client receives the answer. */
  async authorize(url: URL): Promise<URL> {
    const cookies = new Map<string, string>()
    let [address, fields]: [URL, URLSearchParams | null] = [url, null]
    for (let step = 0; step < MAX_STEPS && address.origin === url.origin; step += 1) {
      const response: Response = await fetch(address, {
        method: fields === null ? 'GET' : 'POST',
        redirect: 'manual',
        headers: { cookie: [...cookies].map((pair) => pair.join('=')).join('; '), origin: url.origin },
        body: fields,
      })
      for (const cookie of response.headers.getSetCookie()) {
        const [, name = '', value = ''] = /^([^=]*)=([^;]*)/.exec(cookie) ?? []
        cookies.set(name, value)
      }
      const location = response.headers.get('location')
      const form: Form | null = location === null ? this.#filled(await response.text()) : null
      address = new URL(form?.action ?? location ?? '', address)
      fields = form?.fields ?? null
    }
    return address
  }

  /** Return the page's form for an answer, filled in. */
  #filled(page: string): Form {
    const form = page.match(/<form[\s\S]*?<\/form>/g)?.find((text) => /name="(password|decision)"/.test(text))
    if (form === undefined) throw new Error(`nothing to fill in: ${page}`)
    const fields = new URLSearchParams()
    for (const [tag] of form.matchAll(/<(?:input|button)[^>]*>/g)) {
      const name = attribute(tag, 'name')
      if (name !== '') fields.set(name, this.#answers[name] ?? attribute(tag, 'value'))
    }
    return { action: attribute(form, 'action'), fields }
  }
}

function attribute(tag: string, name: string): string {
  return new RegExp(` ${name}="([^"]*)"`).exec(tag)?.[1] ?? ''
}
