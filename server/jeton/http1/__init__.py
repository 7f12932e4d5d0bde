"""HTTP/1.1 over asyncio: strict parsing of requests, limits, and responses.

Own code, because it is stricter and faster than uvicorn's protocols (ADR 0015, ADR 0023).
"""
