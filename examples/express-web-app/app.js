// A web app whose users log in at the server, by redirect (OpenID Connect).
//
// jeton client add web-app --grant authorization_code --scope openid --redirect-uri http://127.0.0.1:8080/callback
// ISSUER=http://127.0.0.1:8000 APP=http://127.0.0.1:8080 CLIENT_ID=web-app CLIENT_SECRET=... npm start

import { randomBytes } from 'node:crypto'
import { pathToFileURL } from 'node:url'
import {
  IdTokenVerifier,
  InvalidCallbackError,
  InvalidTokenError,
  isPendingAuthorization,
  RefusedError,
  TokenSession,
} from '@jeton/client'
import express from 'express'

const LOGIN_MILLISECONDS = 3_600_000
const SESSION_MILLISECONDS = 86_400_000

export function createApp({ issuer, address, client, fetch = globalThis.fetch }) {
  const app = express()
  const verifier = new IdTokenVerifier({ issuer, clientId: client.clientId, fetch })
  const users = new Map() // who is logged in, by cookie; a real app has a database, and ends its sessions
  // With this prefix, browsers accept a cookie from this host only, so that no other host can start a login here.
  const isSecure = address.startsWith('https:')
  const prefix = isSecure ? '__Host-' : ''
  const flags = { httpOnly: true, sameSite: 'lax', secure: isSecure, path: '/' }

  app.get('/', (request, response) => {
    const user = users.get(cookie(request, `${prefix}session`))
    if (user === undefined) response.redirect(303, '/log-in')
    else response.type('text').send(`Hello ${user}`)
  })

  app.get('/log-in', async (_, response) => {
    const session = new TokenSession({ issuer, client, fetch })
    const request = { redirectUri: `${address}/callback`, scope: 'openid' }
    const { url, pending } = await session.startAuthorization(request)
    response.cookie(`${prefix}login`, JSON.stringify(pending), { ...flags, maxAge: LOGIN_MILLISECONDS })
    response.redirect(303, url)
  })

  app.get('/callback', async (request, response) => {
    const pending = pendingIn(cookie(request, `${prefix}login`))
    try {
      if (pending === null) throw new InvalidCallbackError('state')
      const session = new TokenSession({ issuer, client, fetch })
      const tokens = await session.finishAuthorization(pending, address + request.originalUrl)
      const { subject } = await verifier.verify(tokens, pending)
      const name = randomBytes(32).toString('base64url')
      users.set(name, subject)
      response.cookie(`${prefix}session`, name, { ...flags, maxAge: SESSION_MILLISECONDS })
      response.clearCookie(`${prefix}login`, flags).redirect(303, '/')
    } catch (error) {
      if (error instanceof RefusedError)
        response.status(403).type('text').send(`You are not logged in: ${error.message}`)
      else if (error instanceof InvalidCallbackError || error instanceof InvalidTokenError)
        response.status(400).type('text').send(`This login was not begun here. Begin again: ${address}/log-in`)
      else throw error
    }
  })

  return app
}

function cookie(request, name) {
  const pairs = (request.headers.cookie ?? '').split('; ').map((pair) => pair.split('='))
  return decodeURIComponent(pairs.find(([key]) => key === name)?.[1] ?? '')
}

function pendingIn(text) {
  try {
    const pending = JSON.parse(text)
    return isPendingAuthorization(pending) ? pending : null
  } catch {
    return null
  }
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { ISSUER: issuer, APP: address, CLIENT_ID: clientId, CLIENT_SECRET: secret } = process.env
  createApp({ issuer, address, client: { clientId, secret } }).listen(Number(new URL(address).port), '127.0.0.1')
}
