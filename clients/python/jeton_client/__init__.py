"""Token sessions for apps, token verification for services, with any OAuth 2 server that keeps to the RFCs."""
