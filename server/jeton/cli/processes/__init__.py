"""Processes of `jeton serve`: the parent, its workers, their sockets, and the handover to a new program."""
