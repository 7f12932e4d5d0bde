"""What a server tells of itself: log lines, metrics and spans, and the escaping of untrusted text in them."""
