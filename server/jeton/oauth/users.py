"""Users: the resource owners (RFC 6749 section 1.1)."""

from collections.abc import Mapping
from typing import Any, TypeGuard

from jeton.frozen import Frozen, Hidden, field


class User(Frozen):
    """A user. `sub` is the identifier in tokens; it is never reused. `password_version` counts password changes.

    `profile` holds claims by their names in OpenID Connect Core section 5.1, except those that other fields hold;
    `updated_at` is when one of these claims last changed.
    """

    sub: str
    username: str
    email: str | None
    roles: tuple[str, ...]
    disabled: bool
    created_at: int
    password_version: int
    password_hash: Hidden[str | None] = None
    email_verified: bool = False
    profile: Mapping[str, Any] = field(default_factory=dict)
    updated_at: int = 0


def may_still_log_in(found: User | None, checked: User) -> TypeGuard[User]:
    """Return whether the user, as found under a lock, is enabled and has the password that was verified before."""
    return found is not None and not found.disabled and found.password_version == checked.password_version
