"""Authorization requests and codes: which are valid, and what is decided about them (RFC 6749 section 4.1)."""
