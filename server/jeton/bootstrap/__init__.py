"""Construction of a server, and of the parts that commands use, from the settings."""
