"""Policies that are not OAuth: passwords, login identifiers, rate limits, networks, the life of keys. Pure."""
