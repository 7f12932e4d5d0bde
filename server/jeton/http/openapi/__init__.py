"""The OpenAPI 3.1 description of all endpoints. Tests compare the server with it."""
