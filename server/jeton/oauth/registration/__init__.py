"""Registration of clients: by administrators, by themselves (RFC 7591), and by the documents that describe them."""
