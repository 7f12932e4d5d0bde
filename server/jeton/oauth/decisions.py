"""What a decision may be. A decision is a value: it is applied, and committed, in one place, and then answered."""

from dataclasses import dataclass
from typing import Final

from jeton.oauth.clients import Client
from jeton.oauth.errors import ErrorCode, OAuthError, rate_limited
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
    """A refusal. `family`, if given, is stored all the same, because a refusal may revoke it.

    `reason` and `sub` (whose login it would have been) are for the log, and never for the client. `retry_after` is the
    number of seconds after which the same request would be granted. `unknown_token` says that the presented token was
    never issued, which counts against the caller's rate limit.
    """

    code: ErrorCode
    reason: str
    family: Family | None = None
    sub: str | None = None
    retry_after: int | None = None
    unknown_token: bool = False

    def to_error(self) -> OAuthError:
        """Return the exception that refuses the request. To be raised after the decision is committed."""
        about: dict[str, str | int | None] = {"sub": self.sub}
        if self.family is not None:
            about = {"sub": self.family.sub, "sid": self.family.sid, "generation": self.family.generation}
        if self.retry_after is not None:
            return rate_limited(self.reason, self.retry_after, about)
        return OAuthError(self.code, self.reason, about=about)


@dataclass(frozen=True, slots=True)
class End:
    """A family or one access token ends; neither, if there was nothing left to end.

    `unknown_token` says that the presented token was never issued, which counts against the caller's rate limit.
    """

    reason: str
    family: Family | None = None
    token: RevokedAccessToken | None = None
    unknown_token: bool = False


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
