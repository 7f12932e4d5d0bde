"""Cryptography: keys, digests, hashes and signatures. The only source of randomness.

The only package that imports joserfc, argon2, bcrypt and pkcs11. It knows no tables, no requests and no OAuth rules.
"""
