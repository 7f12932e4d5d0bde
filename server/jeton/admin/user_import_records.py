"""Records of imported users: one JSON object per line, validated and converted to a `User`."""

from typing import Any, Final

import msgspec
from msgspec import Struct

from jeton.admin.user_import_advice import advice_on_members
from jeton.crypto.credentials import generate_sub
from jeton.crypto.hash_trial import HashTrial
from jeton.crypto.imported_hash import PasswordHashRefusedError
from jeton.crypto.imported_hash_formats import parse_imported_hash, stored_form
from jeton.frozen import Frozen
from jeton.oauth.registration.registration_rules import RegistrationError, check_roles, check_sub
from jeton.oauth.user_claims import UserClaimError, check_claims
from jeton.oauth.users import User
from jeton.rules.login_identifiers import InvalidIdentifierError, identifier_keys

_MAX_LINE_BYTES: Final = 64 * 1024


class Record(Struct, frozen=True, forbid_unknown_fields=True):
    """Members that a line may have; others are errors. All but `username` are optional."""

    username: str
    password_hash: str | None = None
    email: str | None = None
    email_verified: bool = False
    roles: tuple[str, ...] = ()
    disabled: bool = False
    sub: str | None = None
    created_at: int | None = None
    claims: dict[str, Any] = {}


class RecordError(Exception):
    """The line cannot be imported. The text says why, and never contains a password hash."""


class ImportedUser(Frozen):
    """The user of a line, and the canonical forms of its name and e-mail address."""

    line: int
    user: User
    keys: tuple[str, ...]


def parse_record(number: int, line: bytes, now: int, trial: HashTrial) -> ImportedUser:
    """Return the user of a line. Raise RecordError if it is malformed or cannot be stored."""
    if len(line) > _MAX_LINE_BYTES:
        raise RecordError(f"the line is longer than {_MAX_LINE_BYTES:,} bytes")
    try:
        record = msgspec.json.decode(line, type=Record)
    except UnicodeDecodeError:
        raise RecordError("the line is not UTF-8") from None
    except ValueError as error:
        # The text may quote the name of a member, which may hold control characters of a terminal.
        detail = "".join(sign if sign.isprintable() else "?" for sign in f"{error}{_advice_on(line)}")
        raise RecordError(f"the line is not a user record: {detail}") from None
    try:
        return _to_user(number, record, now, trial)
    except (InvalidIdentifierError, RegistrationError, UserClaimError, PasswordHashRefusedError) as error:
        raise RecordError(str(error)) from None


def _advice_on(line: bytes) -> str:
    try:
        members = msgspec.json.decode(line, type=dict[str, object])
    except ValueError:
        return "; remove the comma after the object" if line.endswith(b"},") else ""
    return advice_on_members(members, frozenset(Record.__struct_fields__))


def _to_user(number: int, record: Record, now: int, trial: HashTrial) -> ImportedUser:
    # Exports write an empty string for a missing address.
    email = record.email or None
    keys = identifier_keys(record.username, email)
    check_roles(record.roles)
    check_claims(record.claims)
    if record.sub is not None:
        check_sub(record.sub)
    created_at = now if record.created_at is None else record.created_at
    if not 0 <= created_at <= now:
        raise RecordError("created_at must be whole seconds since 1970, and not in the future")
    user = User(
        sub=generate_sub() if record.sub is None else record.sub,
        username=record.username,
        email=email,
        roles=record.roles,
        disabled=record.disabled,
        created_at=created_at,
        password_version=1,
        password_hash=_accept_hash(record.password_hash, trial) if record.password_hash else None,
        email_verified=record.email_verified and email is not None,
        profile=record.claims,
        updated_at=now,
    )
    return ImportedUser(number, user, tuple(key for key in keys if key is not None))


def _accept_hash(password_hash: str, trial: HashTrial) -> str:
    """Return the hash as it is stored. Raise PasswordHashRefusedError if it is not supported or too expensive."""
    trial.run(parse_imported_hash(password_hash))
    return stored_form(password_hash)
