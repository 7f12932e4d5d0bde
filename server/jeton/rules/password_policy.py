"""Password policy: which passwords may be chosen (NIST SP 800-63B-4 section 3.1.1.2). It does not apply to logins.

There are no composition rules. The policy rejects what attackers try first: names, repetitions, sequences, and common
passwords, also with digits around them.
"""

import re
import unicodedata
from collections.abc import Collection, Iterable
from enum import StrEnum
from typing import Final

from jeton.frozen import Frozen

MAX_CODE_POINTS: Final = 1024
# Checked before normalization, whose time is quadratic in a run of combining marks. Decomposed text is twice as long.
MAX_TYPED_CODE_POINTS: Final = 2 * MAX_CODE_POINTS
# After NFKC and case folding, which make up to 18 code points of one.
_MAX_FOLDED_CODE_POINTS: Final = 4 * MAX_CODE_POINTS
# Minimum number of letters and digits beside the names, and minimum length of a repeated unit.
MIN_OWN_CHARACTERS: Final = 8

_MIN_NAME_LENGTH: Final = 3
_SEQUENCES: Final = (
    "abcdefghijklmnopqrstuvwxyz",
    "1234567890",
    "qwertyuiopasdfghjklzxcvbnm",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik,9ol.0p;/",
)
# Repeated to cover the longest password.
_FORWARD: Final = tuple(row * (MAX_CODE_POINTS // len(row) + 2) for row in _SEQUENCES)
_WALKS: Final = (*_FORWARD, *(walk[::-1] for walk in _FORWARD))


class PasswordRule(StrEnum):
    """What is wrong with a password that breaks the rule: a clause to show, with a place for a number if it has one."""

    MIN_LENGTH = "the password must have at least {} characters"
    MAX_LENGTH = "the password must have at most {} characters, and no NUL"
    EXPANSION = "the password has too many characters that expand to several others: choose a shorter one"
    NAMES = "the password is little more than the name of the user or of the service: choose another"
    COMMON = "the password is a common one, or little more than that: choose another"
    PATTERN = "the password is only a repetition, a sequence or a keyboard pattern: choose another"
    BREACHED = "the password was found in a data breach, so attackers know it: choose another"

    @property
    def sentence(self) -> str:
        """The clause as a sentence. Translations are found by it."""
        return f"{self[0].upper()}{self[1:]}."


class PasswordRejection(Frozen):
    """Why a password is rejected: the rule that it breaks, and its number."""

    rule: PasswordRule
    number: int | None = None

    def __str__(self) -> str:
        return self.rule.format(self.number)


TOO_LONG: Final = PasswordRejection(PasswordRule.MAX_LENGTH, MAX_CODE_POINTS)


def context_words(names: Iterable[str | None]) -> frozenset[str]:
    """Return the words to reject in a password: the given names (of user and service) and the words in them."""
    folded = [_fold(name) for name in names if name]
    words = {*folded, *(word for name in folded for word in re.split(r"[\W_]+", name))}
    return frozenset(word for word in words if len(word) >= _MIN_NAME_LENGTH)


def password_rejection(
    password: str, min_length: int, context: Collection[str], common: Collection[str]
) -> PasswordRejection | None:
    """Return why the password is rejected, or None if it is allowed.

    `password` is in NFC and counted in code points; `context` comes from `context_words`, `common` is in lower case.
    The time is linear in the length for any text: the rules run before any rate limit.
    """
    if len(password) < min_length:
        return PasswordRejection(PasswordRule.MIN_LENGTH, min_length)
    if len(password) > MAX_CODE_POINTS or "\0" in password:
        return TOO_LONG
    whole = _fold(password)
    if len(whole) > _MAX_FOLDED_CODE_POINTS:
        return PasswordRejection(PasswordRule.EXPANSION)
    own = _remove_words(whole, context)
    if own != whole and sum(map(str.isalnum, own)) < MIN_OWN_CHARACTERS:
        return PasswordRejection(PasswordRule.NAMES)
    forms = {
        form for text in (whole, own) for form in (text, _repeated_unit(text), _repeated_unit(_trim_to_letters(text)))
    }
    if any(form in common for form in forms):
        return PasswordRejection(PasswordRule.COMMON)
    if any(_is_walk(text) or len(_repeated_unit(text)) < MIN_OWN_CHARACTERS <= len(text) for text in (whole, own)):
        return PasswordRejection(PasswordRule.PATTERN)
    return None


def _fold(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


def _remove_words(text: str, words: Collection[str]) -> str:
    """Return the text with the words taken out, the longer ones first."""
    for word in sorted(words, key=len, reverse=True):
        text = text.replace(word, "")
    return text


def _trim_to_letters(text: str) -> str:
    """Return the text from its first letter to its last, without what surrounds them."""
    letters = [place for place, character in enumerate(text) if character.isalpha()]
    return text[letters[0] : letters[-1] + 1] if letters else ""


def _repeated_unit(text: str) -> str:
    """Return the shortest unit that the text repeats, or the text itself if it is not a repetition."""
    return text[: (text + text).find(text, 1)] if text else text


def _is_walk(text: str) -> bool:
    """Return whether the text follows the alphabet, the digits or the keyboard, forwards or backwards."""
    return any(text in walk for walk in _WALKS)
