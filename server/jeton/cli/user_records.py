"""The lines of a file of users, one JSON object each: what they may say, and whom they stand for."""

import codecs
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import msgspec
from msgspec import Struct

from jeton.crypto.credentials import generate_sub
from jeton.crypto.imported_hashes import PasswordHashRefusedError, imported_hash
from jeton.oauth.model import User
from jeton.oauth.names import NameRefusedError, keys_of_user
from jeton.oauth.registration import RegistrationError, check_roles, check_sub

_MOST_LINE_BYTES: Final = 64 * 1024


class Record(Struct, frozen=True, forbid_unknown_fields=True):
    """What a line may say."""

    username: str
    password_hash: str | None = None
    email: str | None = None
    roles: tuple[str, ...] = ()
    disabled: bool = False
    sub: str | None = None
    created_at: int | None = None


class RecordRefusedError(Exception):
    """The line stands for nobody. The text says why, and never holds a hash."""


@dataclass(frozen=True, slots=True)
class ReadUser:
    """The user of a line, and the canonical forms of name and e-mail address."""

    line: int
    user: User
    keys: tuple[str, ...]


def numbered_lines(file: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """The lines that hold anything, with their numbers; some systems begin a file with a byte order mark."""
    for number, line in enumerate(file, 1):
        text = (line.removeprefix(codecs.BOM_UTF8) if number == 1 else line).strip()
        if text:
            yield number, text


def read_user(number: int, line: bytes, now: int) -> ReadUser:
    """The user of this line; RecordRefusedError where it is none that could be stored."""
    if len(line) > _MOST_LINE_BYTES:
        raise RecordRefusedError(f"the line is longer than {_MOST_LINE_BYTES:,} bytes")
    try:
        record = msgspec.json.decode(line, type=Record)
    except ValueError as error:
        # It may quote the name of a member, and a terminal would obey what that holds.
        said = "".join(sign if sign.isprintable() else "?" for sign in str(error))
        raise RecordRefusedError(f"the line is no record of a user: {said}") from None
    try:
        return _checked(number, record, now)
    except (NameRefusedError, RegistrationError, PasswordHashRefusedError) as refusal:
        raise RecordRefusedError(str(refusal)) from None


def _checked(number: int, record: Record, now: int) -> ReadUser:
    keys = keys_of_user(record.username, record.email)
    check_roles(record.roles)
    if record.sub is not None:
        check_sub(record.sub)
    created_at = now if record.created_at is None else record.created_at
    if not 0 <= created_at <= now:
        raise RecordRefusedError("created_at must be whole seconds since 1970, and not in the future")
    user = User(
        sub=generate_sub() if record.sub is None else record.sub,
        username=record.username,
        email=record.email,
        roles=record.roles,
        disabled=record.disabled,
        created_at=created_at,
        password_version=1,
        password_hash=None if record.password_hash is None else imported_hash(record.password_hash),
    )
    return ReadUser(number, user, tuple(key for key in keys if key is not None))
