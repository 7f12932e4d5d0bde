"""What endpoints know of clients: who a `client_id` is, the keys of clients, and authentication by them."""
