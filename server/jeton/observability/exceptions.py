"""Texts of exceptions for logs, without what they quote."""

import traceback
from collections.abc import Iterator
from typing import Final

# Exceptions of these classes quote their input, which may contain a password or a token.
_QUOTING: Final = frozenset({"ValueError", "LookupError", "DataError", "MsgspecError", "JoseError"})


def format_exception(error: BaseException) -> str:
    """Return the tracebacks of an exception and its causes, without texts that may quote untrusted input."""
    chain: list[BaseException] = []
    following: BaseException | None = error
    while following is not None and following not in chain:
        chain.append(following)
        following = following.__cause__ or (None if following.__suppress_context__ else following.__context__)
    return "\nwhich led to:\n".join("".join(_lines(it)) for it in reversed(chain))


def _lines(error: BaseException) -> Iterator[str]:
    yield from traceback.format_tb(error.__traceback__)
    text = exception_text(error)
    yield type(error).__qualname__ + (f": {text}" if text else "")
    for part in error.exceptions if isinstance(error, BaseExceptionGroup) else ():
        yield "\nof which one is:\n" + format_exception(part)


def exception_text(error: BaseException) -> str:
    """Return the first line of an exception's text, or "" if it may quote its input.

    Database errors quote values from their second line on.
    """
    original = getattr(error, "orig", None)
    if isinstance(original, BaseException):
        return exception_text(original)
    if any(kind.__name__ in _QUOTING for kind in type(error).__mro__):
        return ""
    return str(error).partition("\n")[0]
