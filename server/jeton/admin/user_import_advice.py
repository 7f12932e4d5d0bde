"""Advice on members that are named differently in the exports of other systems."""

from collections.abc import Iterable
from typing import Final

_FOREIGN_NAMES: Final = {
    "username": "login loginname userlogin preferredusername normalizedusername uid",
    "email": "emailaddress mail useremail primaryemail normalizedemail",
    "password_hash": "password passwd hash hashedpassword encryptedpassword encodedpassword cryptedpassword"
    " passworddigest userpass userpassword",
    "sub": "id userid localid uuid guid externalid oid subject",
    "roles": "role groups realmroles authorities",
    "created_at": "created createdat createdtimestamp createdtime creationtime datejoined registered userregistered"
    " insertedat",
    "disabled": "locked blocked banned",
}
_NAMES: Final = {
    word: ours for ours, words in _FOREIGN_NAMES.items() for word in [ours.replace("_", ""), *words.split()]
}
_ADVICE: Final = {
    "password_hash": "the whole hash as it is stored there, never a plain password",
    "created_at": "whole seconds since 1970",
}
_SPECIAL: Final = {
    "enabled": "write `disabled`, the opposite",
    "active": "write `disabled`, the opposite",
    "isactive": "write `disabled`, the opposite",
    "credentials": "this is Keycloak's: docs/operations/users.md shows how to convert it to `password_hash`",
    "custompasswordhash": "this is Auth0's: `password_hash` is its `hash.value`",
    "salt": "a salt is part of `password_hash`; Firebase's hashes cannot be taken",
    "passwordsalt": "a salt is part of `password_hash`",
}


def advice_on_members(members: Iterable[str], known: frozenset[str]) -> str:
    """Return what to write instead of unknown members, as text to append to an error; "" if there is no advice."""
    advice = (_advice(name) for name in members if name not in known)
    return "".join(f"; {it}" for it in advice if it)


def _advice(name: str) -> str | None:
    word = name.lower().translate({ord(character): None for character in "_- "})
    if word in _SPECIAL:
        return f"`{name}`: {_SPECIAL[word]}"
    ours = _NAMES.get(word)
    if ours is None:
        return None
    more = f" ({_ADVICE[ours]})" if ours in _ADVICE else ""
    return f"`{name}` is called `{ours}` here{more}"
