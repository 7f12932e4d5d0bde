"""Pure rules that are not OAuth: rate limits, key lifecycle, passwords, login identifiers and networks."""
