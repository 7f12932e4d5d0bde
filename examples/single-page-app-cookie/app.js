// A page whose refresh token is in a cookie that no script reads. It stays logged in, across reloads and in all of its tabs.

import {
  authorizedFetch,
  cookieSession,
  finishLogInByBrowser,
  LoginRequiredError,
  logInByBrowser,
} from '/client/app.js'

const { issuer, api } = await (await fetch('/config.json')).json()

const session = cookieSession({ issuer, client: { clientId: 'orders-cookie' } })
const call = authorizedFetch(session, { origins: [api] })
const [login, orders, user, message] = ['login', 'orders', 'user', 'message'].map((id) => document.getElementById(id))

async function showOrders() {
  const response = await call(`${api}/orders`)
  if (!response.ok) throw new Error(`The service returned ${response.status}.`)
  const items = (await response.json()).orders.map(({ what }) =>
    Object.assign(document.createElement('li'), { textContent: what }),
  )
  orders.querySelector('ul').replaceChildren(...items)
  const signedIn = await session.signedIn()
  user.textContent = signedIn?.claims.preferred_username ?? signedIn?.sub
  show(orders)
}

function show(section) {
  login.hidden = section !== login
  orders.hidden = section !== orders
}

function on(id, work) {
  document.getElementById(id).addEventListener('click', () => attempt(work))
}

/** Do the work, and show the user an error. */
async function attempt(work) {
  message.textContent = ''
  try {
    await work()
  } catch (error) {
    if (error instanceof LoginRequiredError) show(login)
    else message.textContent = error.message
  }
}

// The user may log out in any tab.
session.onEnd(() => show(login))

on('login', () =>
  logInByBrowser(session, { redirectUri: `${location.origin}/callback`, scope: 'openid profile orders' }),
)
on('reload', showOrders)
on('logout', () => session.logOut())

attempt(async () => {
  await finishLogInByBrowser(session)
  await showOrders()
})
