"""Administration of users: registration, claims, passwords, disabling, deletion."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from jeton.admin.errors import AdminError, AlreadyExistsError, NotFoundError
from jeton.crypto.credentials import generate_sub
from jeton.crypto.password_rules import PasswordRules
from jeton.frozen import Frozen, field, replace
from jeton.oauth.audit_events import AuditEvent
from jeton.oauth.registration.registration_rules import check_roles
from jeton.oauth.user_claims import changed_claims, check_claims
from jeton.oauth.users import User
from jeton.rules.login_identifiers import identifier_keys, login_key
from jeton.storage.audit_records import erase_person
from jeton.storage.audit_trail import record
from jeton.storage.browser_sessions import delete_browser_sessions_of
from jeton.storage.family_ends import end_families
from jeton.storage.family_lists import count_live_families
from jeton.storage.users import delete_user, find_users, insert_user, lock_users, update_user


def check_names(username: str, email: str | None, roles: tuple[str, ...]) -> None:
    """Raise InvalidIdentifierError or RegistrationError if no user can have this name, address or these roles."""
    identifier_keys(username, email)
    check_roles(roles)


def check_password(rules: PasswordRules, password: str, username: str, email: str | None) -> None:
    """Raise AdminError if this user must not have this password. May search a file of leaked passwords."""
    if rejection := rules.rejection(password, username, email):
        raise AdminError(str(rejection))


def register(
    connection: Connection, now: int, username: str, email: str | None, roles: tuple[str, ...], password_hash: str
) -> User:
    """Insert a user.

    Raise AlreadyExistsError if the name or e-mail address is taken, InvalidIdentifierError or RegistrationError if no
    user can have it.
    """
    check_names(username, email, roles)
    taken = AlreadyExistsError(
        f"there is a user {username} already, or one with this e-mail address (case does not count)"
    )
    if find_users(connection, [key for key in identifier_keys(username, email) if key]):
        raise taken
    user = User(generate_sub(), username, email, roles, False, now, 1, password_hash)
    try:
        insert_user(connection, user)
    except IntegrityError:
        # Another transaction has inserted it since it was looked up.
        raise taken from None
    record(connection, AuditEvent("user_added", "added", sub=user.sub))
    return user


class UserChanges(Frozen):
    """What is to change of a user; None stays. A claim without a value is removed, and so is an empty address."""

    email: str | None = None
    email_verified: bool | None = None
    roles: tuple[str, ...] | None = None
    claims: Mapping[str, Any] = field(default_factory=dict)


def change(connection: Connection, now: int, username: str, changes: UserChanges) -> User:
    """Change the user, and return the changed user. Sessions go on; the next access tokens have the new roles.

    An address that changes is no longer verified. Raise AlreadyExistsError if another user has it, AdminError if there
    is none to be verified, InvalidIdentifierError, RegistrationError or UserClaimError if something is not valid.
    """
    user = lock(connection, username)
    email = user.email if changes.email is None else changes.email or None
    is_kept = changes.email_verified is None and email == user.email
    roles = user.roles if changes.roles is None else changes.roles
    profile = changed_claims(user.profile, changes.claims)
    if changes.email_verified and not email:
        raise AdminError("there is no e-mail address that could be verified: set one with --email")
    check_names(user.username, email, roles)
    check_claims(profile)
    changed = replace(
        user,
        email=email,
        email_verified=user.email_verified if is_kept else bool(changes.email_verified),
        roles=roles,
        profile=profile,
        updated_at=now,
    )
    taken = AlreadyExistsError("there is another user with this e-mail address (case does not count)")
    _, email_key = identifier_keys(changed.username, email)
    if any(it.sub != user.sub for it in find_users(connection, [email_key] if email_key else []).values()):
        raise taken
    values = {it: getattr(changed, it) for it in ("email", "email_verified", "roles", "profile", "updated_at")}
    try:
        update_user(connection, user.sub, **values, email_key=email_key)
    except IntegrityError:
        # Another transaction has inserted it since it was looked up.
        raise taken from None
    names = " ".join(it for it, value in values.items() if value != getattr(user, it))
    record(connection, AuditEvent("user_changed", names, sub=user.sub))
    return changed


def set_password(connection: Connection, now: int, username: str, password_hash: str) -> tuple[User, int]:
    """Replace a user's password, and end the user's sessions and browser sessions.

    Return the user and the number of ended sessions.
    """
    user = lock(connection, username)
    update_user(connection, user.sub, password_hash=password_hash, password_version=user.password_version + 1)
    delete_browser_sessions_of(connection, [(user.sub, None)], now)
    record(connection, AuditEvent("password_changed", "set_by_administrator", sub=user.sub))
    return user, end_families(connection, now, "password_changed", sub=user.sub)


def disable(connection: Connection, now: int, username: str) -> tuple[User, int]:
    """Refuse a user's logins, and end the user's sessions and browser sessions.

    Return the user and the number of ended sessions.
    """
    user = lock(connection, username)
    update_user(connection, user.sub, disabled=True)
    delete_browser_sessions_of(connection, [(user.sub, None)], now)
    record(connection, AuditEvent("user_disabled", "disabled", sub=user.sub))
    return user, end_families(connection, now, "user_disabled", sub=user.sub)


def enable(connection: Connection, username: str) -> User:
    """Let a disabled user log in again. Ended sessions stay ended."""
    user = lock(connection, username)
    update_user(connection, user.sub, disabled=False)
    record(connection, AuditEvent("user_enabled", "enabled", sub=user.sub))
    return user


def delete(connection: Connection, now: int, username: str) -> User:
    """Delete a user with everything stored about the user, also in the audit trail.

    The `sub` is in the record of this, and is never issued again.
    """
    user = lock(connection, username)
    delete_browser_sessions_of(connection, [(user.sub, None)], now)
    end_families(connection, now, "user_deleted", sub=user.sub)
    delete_user(connection, user.sub)
    erase_person(connection, user.sub)
    record(connection, AuditEvent("user_deleted", "deleted", sub=user.sub))
    return user


def show(connection: Connection, now: int, username: str) -> dict[str, Any]:
    """Return what may be shown of a user, with the number of live sessions, as JSON members."""
    user = find(connection, username)
    claims = {"email_verified": user.email_verified, "claims": dict(user.profile)}
    return describe(user) | claims | {"sessions": count_live_families(connection, now, user.sub)}


def find(connection: Connection, username: str) -> User:
    """Return the user with this name or e-mail address. Raise NotFoundError if there is none."""
    key = login_key(username)
    found = find_users(connection, [key] if key else [])
    if not found:
        raise NotFoundError("user", username)
    return next(iter(found.values()))


def lock(connection: Connection, username: str) -> User:
    """Return the user, locked until the transaction ends. Users are always locked before sessions.

    Raise NotFoundError if there is none.
    """
    sub = find(connection, username).sub
    locked = lock_users(connection, [sub]).rows
    if not locked:
        raise NotFoundError("user", username)
    return locked[sub]


def describe(user: User) -> dict[str, Any]:
    """Return what may be shown of a user, as JSON members. The password hash is not included."""
    return {
        "username": user.username,
        "sub": user.sub,
        "email": user.email,
        "roles": list(user.roles),
        "disabled": user.disabled,
        "created_at": user.created_at,
    }
