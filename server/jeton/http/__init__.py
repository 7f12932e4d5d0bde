"""HTTP adapter: request parsing, dispatch to endpoints, and rendering of answers and refusals."""
