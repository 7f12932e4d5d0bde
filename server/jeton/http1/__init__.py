"""HTTP/1.1 over asyncio (RFC 9112): framing of requests and responses within a budget. Knows nothing of OAuth."""
