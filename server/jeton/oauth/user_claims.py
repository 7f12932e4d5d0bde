"""Claims about users (OpenID Connect Core section 5.1): which can be set, by whom, and to which values."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

MAX_CHARACTERS: Final = 255
# What users may say of themselves. An e-mail address or a phone number would have to be proved.
SELF_SET_CLAIMS: Final = ("name", "given_name", "family_name", "nickname", "website", "picture", "locale", "zoneinfo")
_MAX_URL_CHARACTERS: Final = 2048
_ADDRESS_MEMBERS: Final = ("formatted", "street_address", "locality", "region", "postal_code", "country")
_LOCALE: Final = re.compile(r"[A-Za-z]{2,8}([-_][A-Za-z0-9]{1,8}){0,5}")
_ZONE: Final = re.compile(r"[A-Za-z0-9_+-]{1,32}(/[A-Za-z0-9_+-]{1,32}){0,2}")
# A year, or a day; the year 0000 stands for one that is not told.
_BIRTHDATE: Final = re.compile(r"[0-9]{4}(-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01]))?")
_PHONE_NUMBER: Final = re.compile(r"\+[0-9][0-9 ().-]{2,30}(;ext=[0-9]{1,8})?")


class UserClaimError(Exception):
    """A claim is unknown or has no valid value. The message says what is allowed."""


def parse_claim(name: str, text: str) -> Any:
    """Return the value of a claim that is written as text. Raise UserClaimError if it is not valid.

    Objects, true and false are written as in JSON.
    """
    value: Any = text
    if name in ("address", "phone_number_verified"):
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            raise UserClaimError(f"{name} must be {_FORMS[name][1]}") from None
    check_claims({name: value})
    return value


def changed_claims(before: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the claims after the changes; None removes one. A telephone number that changes is no longer verified."""
    after = {**before, **changes}
    if after.get("phone_number") != before.get("phone_number"):
        after["phone_number_verified"] = changes.get("phone_number_verified")
    return {name: value for name, value in after.items() if value is not None}


def check_claims(claims: Mapping[str, Any]) -> None:
    """Raise UserClaimError unless these are claims with valid values."""
    for name, value in claims.items():
        if name not in _FORMS:
            raise UserClaimError(f"there is no claim {name!r} to set: use one of {', '.join(sorted(_FORMS))}")
        is_valid, form = _FORMS[name]
        if not is_valid(value):
            raise UserClaimError(f"{name} must be {form}")


def _is_text(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= MAX_CHARACTERS and value.isprintable()


def _is_https_url(value: object) -> bool:
    if not isinstance(value, str) or not value.isascii() or not value.isprintable() or " " in value:
        return False
    try:
        parts = urlsplit(value)
        hostname = parts.hostname
    except ValueError:
        return False
    return parts.scheme == "https" and bool(hostname) and "@" not in parts.netloc and len(value) <= _MAX_URL_CHARACTERS


def _is_address(value: object) -> bool:
    """Return whether it is an address; lines are separated by newlines (section 5.1.1)."""
    if not isinstance(value, dict) or not value or not value.keys() <= set(_ADDRESS_MEMBERS):
        return False
    return all(isinstance(it, str) and _is_text(it.replace("\r\n", " ").replace("\n", " ")) for it in value.values())


def _matches(pattern: re.Pattern[str]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, str) and pattern.fullmatch(value) is not None


_TEXT: Final = (_is_text, f"1 to {MAX_CHARACTERS} printable characters")
_URL: Final = (_is_https_url, "an https URL")
# How values are checked, and how the check is put in words.
_FORMS: Final[Mapping[str, tuple[Callable[[object], bool], str]]] = {
    **dict.fromkeys(("name", "given_name", "family_name", "middle_name", "nickname", "gender"), _TEXT),
    **dict.fromkeys(("profile", "picture", "website"), _URL),
    "birthdate": (_matches(_BIRTHDATE), "a date as 1990-12-31, or only the year"),
    "zoneinfo": (_matches(_ZONE), "a time zone as Europe/Vienna"),
    "locale": (_matches(_LOCALE), "a language tag as de or de-AT"),
    "phone_number": (_matches(_PHONE_NUMBER), "a phone number as +43 1 234567"),
    "phone_number_verified": (lambda value: isinstance(value, bool), "true or false"),
    "address": (_is_address, f"a JSON object with texts for some of {', '.join(_ADDRESS_MEMBERS)}"),
}
