"""The error of the command line."""


class CommandError(Exception):
    """The command failed. The text is one line that says why and what to do."""
