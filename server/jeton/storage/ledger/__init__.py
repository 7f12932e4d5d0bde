"""The ledger: what decisions lock and write, in transactions of many requests."""
