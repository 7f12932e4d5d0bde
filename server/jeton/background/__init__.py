"""Background work: the state that processes share, deletion of what has expired, logout tokens, and measurements."""
