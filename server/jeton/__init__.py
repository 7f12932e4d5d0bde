"""Jeton: a standards-leaning OAuth 2 authorization server."""
