"""The memory: tables, every SQL statement, and the ledger.

Owns the database. Hands out and takes in the values of `oauth`; decides nothing.
"""
