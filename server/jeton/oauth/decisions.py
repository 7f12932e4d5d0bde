"""What a decision may be. A decision is a value: it is applied, and committed, in one place, and then answered."""

from dataclasses import dataclass
from typing import Final

from jeton.oauth.clients import Client
from jeton.oauth.errors import ErrorCode
from jeton.oauth.scope import Scope
from jeton.oauth.sessions import Family, RevokedAccessToken
from jeton.oauth.users import User


@dataclass(frozen=True, slots=True)
class Issue:
    """Tokens may be issued. `family` is to be stored as it stands here; without one no refresh token is issued.

    `ended` are families that had to make room for it. `moved`: it is used from elsewhere, and its client notices that.
    """

    client: Client
    scope: Scope
    audience: tuple[str, ...]
    issued_at: int
    reason: str
    user: User | None = None
    family: Family | None = None
    rehashed_password: str | None = None
    ended: tuple[Family, ...] = ()
    moved: bool = False


@dataclass(frozen=True, slots=True)
class Deny:
    """Nothing is issued. `family`, where given, is to be stored all the same: a refusal may revoke.

    `reason` and `sub` (whose login it would have been) are for the log, and never for the client. `retry_after`, where
    given, says in how many seconds the same would be granted.
    """

    code: ErrorCode
    reason: str
    family: Family | None = None
    sub: str | None = None
    retry_after: int | None = None


@dataclass(frozen=True, slots=True)
class End:
    """A family or one access token ends; neither, where there was nothing left to end."""

    reason: str
    family: Family | None = None
    token: RevokedAccessToken | None = None


@dataclass(frozen=True, slots=True)
class EndSessions:
    """Several families of one user end. `user`, where given, has a new password from now on, and is to be stored."""

    reason: str
    families: tuple[Family, ...]
    user: User | None = None


# Whether a refresh token is genuine cannot be told without the master key of its family. Nothing is changed: saying
# invalid_grant would make the app drop a good session, and 200 to a revocation would leave one alive.
MASTER_KEY_MISSING: Final = Deny(ErrorCode.TEMPORARILY_UNAVAILABLE, "master_key_missing")

Decision = Issue | Deny | End | EndSessions
