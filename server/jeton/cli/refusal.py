"""Refusing a command."""


class Refusal(Exception):
    """The command cannot be done. The text is one line that says why, and what to do."""
