// A page without any token: nginx adds the access token to requests for /api/.

import { cookieSession, finishLogInByBrowser, LoginRequiredError, logInByBrowser } from '/client/app.js'

const issuer = 'https://id.example.test'

const session = cookieSession({ issuer, client: { clientId: 'orders-behind-nginx' }, through: location.origin })
const [login, logout, orders, message] = ['login', 'logout', 'orders', 'message'].map((id) =>
  document.getElementById(id),
)

async function showOrders() {
  const response = await fetch('/api/orders', { headers: { 'x-jeton': '1' } })
  if (!response.ok) throw new Error(`The service returned ${response.status}.`)
  const items = (await response.json()).orders.map(({ what }) =>
    Object.assign(document.createElement('li'), { textContent: what }),
  )
  orders.replaceChildren(...items)
}

function show(isSignedIn) {
  login.hidden = isSignedIn
  logout.hidden = !isSignedIn
  if (!isSignedIn) orders.replaceChildren()
}

/** Do the work, and show the user an error. */
async function attempt(work) {
  message.textContent = ''
  try {
    await work()
  } catch (error) {
    if (error instanceof LoginRequiredError) show(false)
    else message.textContent = error.message
  }
}

// The user may log out in any tab.
session.onEnd(() => show(false))
login.onclick = () =>
  attempt(() => logInByBrowser(session, { redirectUri: `${location.origin}/callback`, scope: 'orders' }))
logout.onclick = () => attempt(() => session.logOut())

attempt(async () => {
  await finishLogInByBrowser(session)
  await session.accessToken() // keeps the session alive; there is none here
  show(true)
  await showOrders()
})
