"""Login: password verification, its rate limits, its timing and its concurrency."""
