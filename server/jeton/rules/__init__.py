"""Pure rules that are not OAuth: rate limits, signing keys, passwords, login identifiers, domains, networks, images."""
