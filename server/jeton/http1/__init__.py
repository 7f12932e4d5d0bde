"""HTTP/1.1 over asyncio: strict parsing of requests, limits, and responses (ADR 0015)."""
