"""Refusing a command."""


class CommandError(Exception):
    """The command cannot be done. The text is one line that says why, and what to do."""
