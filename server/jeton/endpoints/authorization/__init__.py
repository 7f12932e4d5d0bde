"""Authorization requests: the endpoint, pushed requests (RFC 9126), the pages on the way, and the responses."""
