"""Persistence: tables, every SQL statement, and the ledger that commits decisions.

Functions take and return the values of `oauth` and `rules`. Nothing is decided here.
"""
