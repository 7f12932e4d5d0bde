"""Log lines, and the escaping of untrusted text."""
