"""Signing keys at run time: rotation of the stored keys, and the keys that this process signs and verifies with.

The rules are in `rules/key_lifecycle.py`.
"""
