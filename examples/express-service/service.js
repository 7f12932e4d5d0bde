// A service that verifies access tokens locally, and notices ended sessions within seconds.

import { accessTokenOf, bearer, Verifier } from '@jeton/client'
import express from 'express'

const {
  ISSUER = 'http://127.0.0.1:8000',
  AUDIENCE = 'https://orders.example',
  ORIGIN = 'http://127.0.0.1:8080',
  PORT = '3000',
} = process.env

const verifier = new Verifier({ issuer: ISSUER, audience: AUDIENCE })
const report = (why) => console.warn(`refused: ${why.message}`)
const reader = bearer(verifier, { scope: ['orders'], realm: 'orders', report })
const clerk = (request, response, next) => {
  if (accessTokenOf(request).roles.includes('clerk')) next()
  else response.status(403).json({ error: 'clerks only' })
}

const orders = new Map([['o_1', { id: 'o_1', what: 'three apples' }]])
const app = express()
app.disable('x-powered-by')

// Only pages of this origin can call the service; tokens are sent in a header, without cookies.
app.use((request, response, next) => {
  response.set({ 'access-control-allow-origin': ORIGIN, vary: 'origin' })
  if (request.method !== 'OPTIONS') return next()
  response.set({ 'access-control-allow-headers': 'authorization', 'access-control-allow-methods': 'GET, DELETE' })
  return response.status(204).end()
})

app.get('/orders', reader, (request, response) => {
  response.json({ orders: [...orders.values()], for: accessTokenOf(request).subject })
})

app.delete('/orders/:id', reader, clerk, (request, response) => {
  response.status(orders.delete(request.params.id) ? 204 : 404).end()
})

app.listen(Number(PORT), '127.0.0.1', () => console.log(`listening on http://127.0.0.1:${PORT}`))
