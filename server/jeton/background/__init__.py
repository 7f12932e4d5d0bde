"""Background work: reading shared state from the database, and deleting expired rows."""
