"""Secrets: the only source of randomness, and the only importer of joserfc, argon2 and pkcs11.

Owns every key, digest, tag, hash and signature. Knows no table, no request and no rule of the protocol.
"""
