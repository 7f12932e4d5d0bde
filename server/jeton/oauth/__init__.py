"""OAuth rules: domain types and decisions. Pure: no I/O, no clock, no randomness.

Decides what is issued, refused and revoked. Imports only `jeton.rules`.
"""
