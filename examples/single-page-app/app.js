// A page that logs in, calls a service, and stays logged in, across reloads and in all of its tabs.

import {
  AccessDeniedError,
  authorizedFetch,
  finishLogInByBrowser,
  InvalidCallbackError,
  LoginRequiredError,
  logInByBrowser,
  ServerUnavailableError,
  TokenSession,
  tabStorage,
} from '/client/app.js'

const { issuer, api } = await (await fetch('/config.json')).json()

// The access token is kept in memory only. The refresh token is stored in this origin's IndexedDB. README.md compares this
// with `memoryStorage()`, which requires a login after each reload.
const session = new TokenSession({ issuer, client: { clientId: 'orders-app' }, storage: tabStorage('orders') })
const call = authorizedFetch(session, { origins: [api] })

const login = document.querySelector('#login')
const orders = document.querySelector('#orders')
const message = document.querySelector('#message')

async function showOrders() {
  const response = await call(`${api}/orders`)
  if (!response.ok) throw new Error(`The service returned ${response.status}.`)
  const items = (await response.json()).orders.map(({ what }) => {
    const item = document.createElement('li')
    item.textContent = what
    return item
  })
  orders.querySelector('ul').replaceChildren(...items)
  show(orders)
}

/** Do the work, and show the user an error. */
async function attempt(work) {
  message.textContent = ''
  try {
    await work()
  } catch (error) {
    if (!(error instanceof LoginRequiredError)) message.textContent = explained(error)
    if (!(error instanceof ServerUnavailableError)) show(login)
  }
}

function explained(error) {
  if (error instanceof AccessDeniedError) return 'You have not allowed this app to see your orders.'
  if (error instanceof InvalidCallbackError)
    return 'This login was not begun in this tab, or too long ago. Log in again.'
  if (error instanceof ServerUnavailableError) return 'The server does not respond. Try again in a moment.'
  return error.message
}

function show(section) {
  login.hidden = section !== login
  orders.hidden = section !== orders
}

// The user may log out in any tab.
session.onEnd(() => {
  orders.querySelector('ul').replaceChildren()
  show(login)
})

login.addEventListener('click', () =>
  attempt(() => logInByBrowser(session, { redirectUri: `${location.origin}/callback`, scope: 'orders' })),
)

document.querySelector('#reload').addEventListener('click', () => attempt(showOrders))

document.querySelector('#logout').addEventListener('click', () => attempt(() => session.logOut()))

attempt(async () => {
  await finishLogInByBrowser(session)
  await showOrders()
})
