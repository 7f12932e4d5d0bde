"""The life of signing keys: created, published, followed by every process.

Owns what this process signs and verifies with. The rules of that life are in `oauth.key_life`.
"""
