// What an app that uses the TypeScript SDK of MCP keeps, and where it sends people.

const redirectUrl = 'http://127.0.0.1:49153/callback'

/** `client`: registered before. `clientMetadataUrl`: described by a document. Neither: the app registers itself. */
export class Provider {
  redirectUrl = redirectUrl
  clientMetadata = { client_name: 'Notebook', redirect_uris: [redirectUrl] }
  state = () => 'the state'
  clientInformation = () => this.client
  saveClientInformation = (client) => (this.client = client)
  tokens = () => this.kept
  saveTokens = (tokens) => (this.kept = tokens)
  redirectToAuthorization = (url) => (this.sentTo = url)
  saveCodeVerifier = (verifier) => (this.verifier = verifier)
  codeVerifier = () => this.verifier

  constructor({ client, clientMetadataUrl }) {
    this.client = client
    this.clientMetadataUrl = clientMetadataUrl
  }
}
