/** For apps: sessions, without verification. A page may load this as it is; it needs no other package. */

export { authorizedFetch } from './authorized-fetch.js'
export type { Client } from './client-authentication.js'
export * from './errors.js'
export type { Session } from './session.js'
export { memoryStorage, type Storage } from './storage.js'
export { tabStorage } from './tab-storage.js'
export { TokenSession, type TokenSessionOptions } from './token-session.js'
