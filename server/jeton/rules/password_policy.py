"""Which passwords may be chosen (NIST SP 800-63B-4 section 3.1.1.2). A login asks none of this.

There are no rules of composition. What is refused is what attackers try first: names, repetition, counting, and what
many people use, also with digits around it.
"""

import re
import unicodedata
from collections.abc import Collection, Iterable
from typing import Final

MAX_CODE_POINTS: Final = 1024
# Before normalisation, whose time grows by the square of a run of combining marks. Decomposed text is twice as long.
MAX_TYPED_CODE_POINTS: Final = 2 * MAX_CODE_POINTS
# After NFKC and case folding, which make up to 18 code points of one.
_MAX_FOLDED_CODE_POINTS: Final = 4 * MAX_CODE_POINTS
TOO_LONG: Final = f"the password must have at most {MAX_CODE_POINTS} characters, and no NUL"
# How many letters and digits there must be beside the names; and how long what is repeated must be.
MIN_OWN_CHARACTERS: Final = 8

_MIN_NAME: Final = 3
_ROWS: Final = (
    "abcdefghijklmnopqrstuvwxyz",
    "1234567890",
    "qwertyuiopasdfghjklzxcvbnm",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik,9ol.0p;/",
)
# As often as the longest password could go through them.
_ROUNDS: Final = tuple(row * (MAX_CODE_POINTS // len(row) + 2) for row in _ROWS)
_WAYS: Final = (*_ROUNDS, *(walk[::-1] for walk in _ROUNDS))


def context_words(names: Iterable[str | None]) -> frozenset[str]:
    """What an attacker would put in first: these names (of the user, of the service) and the words in them."""
    folded = [_folded(name) for name in names if name]
    words = {*folded, *(word for name in folded for word in re.split(r"[\W_]+", name))}
    return frozenset(word for word in words if len(word) >= _MIN_NAME)


def rejection_reason(password: str, min_length: int, context: Collection[str], common: Collection[str]) -> str | None:
    """Return why nobody may choose this password, as a sentence, or None if it is allowed.

    `password` is in NFC and counted in code points; `context` comes from `context_words`, `common` is in lower case.
    Takes time in proportion to the length, whatever the text: the rules run before any limit on attempts.
    """
    if len(password) < min_length:
        return f"the password must have at least {min_length} characters"
    if len(password) > MAX_CODE_POINTS or "\0" in password:
        return TOO_LONG
    whole = _folded(password)
    if len(whole) > _MAX_FOLDED_CODE_POINTS:
        return "the password has too many characters that stand for several others: choose a shorter one"
    own = _without(whole, context)
    if own != whole and sum(map(str.isalnum, own)) < MIN_OWN_CHARACTERS:
        return "the password is hardly more than the name of the user or of the service: choose another"
    forms = {form for text in (whole, own) for form in (text, _repeated(text), _repeated(_bare(text)))}
    if any(form in common for form in forms):
        return "the password is one that many people use, or little more: choose another"
    if any(_is_walk(text) or len(_repeated(text)) < MIN_OWN_CHARACTERS <= len(text) for text in (whole, own)):
        return "the password only repeats, counts or follows the keyboard: choose another"
    return None


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


def _without(text: str, words: Collection[str]) -> str:
    """Return the text with the words taken out, the longer ones first."""
    for word in sorted(words, key=len, reverse=True):
        text = text.replace(word, "")
    return text


def _bare(text: str) -> str:
    """Return the text from its first letter to its last."""
    letters = [place for place, character in enumerate(text) if character.isalpha()]
    return text[letters[0] : letters[-1] + 1] if letters else ""


def _repeated(text: str) -> str:
    """What the text is a repetition of: the whole text, where it repeats nothing."""
    return text[: (text + text).find(text, 1)] if text else text


def _is_walk(text: str) -> bool:
    """Whether it goes along the alphabet, the digits or the keyboard, forwards or backwards."""
    return any(text in way for way in _WAYS)
