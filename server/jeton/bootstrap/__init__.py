"""Builds a server, or the parts that a command needs, from the settings."""
