"""The law: pure values and decisions.

Owns what is granted, refused and ended. Imports nothing of ours; no I/O, no clock, no randomness.
"""
