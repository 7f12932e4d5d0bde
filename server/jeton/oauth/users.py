"""Users: the resource owners (RFC 6749 section 1.1)."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class User:
    """A user. `sub` is the identifier in tokens; it is never reused. `password_version` counts password changes."""

    sub: str
    username: str
    email: str | None
    roles: tuple[str, ...]
    disabled: bool
    created_at: int
    password_version: int
    password_hash: str | None = field(default=None, repr=False)
