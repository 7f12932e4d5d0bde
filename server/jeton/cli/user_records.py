"""The lines of a file of users, one JSON object each: what they may say, and whom they stand for."""

from dataclasses import dataclass
from typing import Final

import msgspec
from msgspec import Struct

from jeton.cli.foreign_members import advice_on
from jeton.crypto.credentials import generate_sub
from jeton.crypto.hash_trial import HashTrial
from jeton.crypto.imported_hash import PasswordHashRefusedError
from jeton.crypto.imported_hash_formats import parse_imported_hash, stored_form
from jeton.oauth.registration_rules import RegistrationError, check_roles, check_sub
from jeton.oauth.users import User
from jeton.rules.login_identifiers import InvalidIdentifierError, identifier_keys

_MAX_LINE_BYTES: Final = 64 * 1024


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


def read_user(number: int, line: bytes, now: int, trial: HashTrial) -> ReadUser:
    """Return the user of this line, or raise RecordRefusedError if there is none that could be stored."""
    if len(line) > _MAX_LINE_BYTES:
        raise RecordRefusedError(f"the line is longer than {_MAX_LINE_BYTES:,} bytes")
    try:
        record = msgspec.json.decode(line, type=Record)
    except ValueError as error:
        # It may quote the name of a member, and a terminal would obey what that holds.
        said = "".join(sign if sign.isprintable() else "?" for sign in f"{error}{_advice_on(line)}")
        raise RecordRefusedError(f"the line is no record of a user: {said}") from None
    try:
        return _checked(number, record, now, trial)
    except (InvalidIdentifierError, RegistrationError, PasswordHashRefusedError) as refusal:
        raise RecordRefusedError(str(refusal)) from None


def _advice_on(line: bytes) -> str:
    try:
        members = msgspec.json.decode(line, type=dict[str, object])
    except ValueError:
        return "; a comma after the object must go" if line.endswith(b"},") else ""
    return advice_on(members, frozenset(Record.__struct_fields__))


def _checked(number: int, record: Record, now: int, trial: HashTrial) -> ReadUser:
    # Exports write an empty text where there is none.
    email = record.email or None
    keys = identifier_keys(record.username, email)
    check_roles(record.roles)
    if record.sub is not None:
        check_sub(record.sub)
    created_at = now if record.created_at is None else record.created_at
    if not 0 <= created_at <= now:
        raise RecordRefusedError("created_at must be whole seconds since 1970, and not in the future")
    user = User(
        sub=generate_sub() if record.sub is None else record.sub,
        username=record.username,
        email=email,
        roles=record.roles,
        disabled=record.disabled,
        created_at=created_at,
        password_version=1,
        password_hash=_tried(record.password_hash, trial) if record.password_hash else None,
    )
    return ReadUser(number, user, tuple(key for key in keys if key is not None))


def _tried(password_hash: str, trial: HashTrial) -> str:
    trial.run(parse_imported_hash(password_hash))
    return stored_form(password_hash)
