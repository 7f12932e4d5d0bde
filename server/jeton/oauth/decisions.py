"""Decisions. A decision is a value: the ledger commits what it wants written, and only then is the request answered.

Any class with `reason` and `writes` is a decision.
"""

from typing import Final, Protocol, TypeVar

from jeton.frozen import Frozen, Hidden
from jeton.oauth.authorization_codes import AuthorizationCode
from jeton.oauth.browser_sessions import BrowserSession
from jeton.oauth.client_use import use_to_record
from jeton.oauth.clients import Client
from jeton.oauth.consents import Consent
from jeton.oauth.errors import ErrorCode, OAuthError, rate_limited
from jeton.oauth.scope import Scope
from jeton.oauth.sessions import Family, RevokedAccessToken
from jeton.oauth.single_use import SingleUse
from jeton.oauth.users import User
from jeton.oauth.writes import (
    AddBrowserSessionClient,
    DeleteBrowserSessionsOf,
    InsertAuthorizationCode,
    RecordClientUse,
    RevokeAccessToken,
    SaveBrowserSession,
    SaveClient,
    SaveConsent,
    SaveFamily,
    SavePassword,
    UpgradePasswordHash,
    UseOnce,
    Write,
)


class Decision(Protocol):
    """What the ledger needs to know of a decision."""

    @property
    def reason(self) -> str:
        """A fixed word for the log."""

    @property
    def writes(self) -> tuple[Write, ...]:
        """What to write, also if the answer is a refusal."""


class Issue(Frozen):
    """Tokens may be issued. `family` is stored as it stands here; without one, no refresh token is issued.

    `ended` are the families that end so that the user has no more sessions than allowed. `moved` says that the session
    is used from another network or user agent than before, and that its client registered to have this noticed. `nonce`
    is that of the authorization request (OpenID Connect Core section 3.1.2.1). `single_use` is what the request used.
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
    nonce: Hidden[str | None] = None
    single_use: SingleUse | None = None

    @property
    def writes(self) -> tuple[Write, ...]:
        """The families, what was used, and the new hash of the password that was verified."""
        families = self.ended if self.family is None else (self.family, *self.ended)
        saved: tuple[Write, ...] = (*map(SaveFamily, families), *use_to_record(self.client, self.issued_at))
        if self.single_use is not None:
            saved = (*saved, UseOnce(self.single_use))
        if self.user is None or self.rehashed_password is None:
            return saved
        return (*saved, UpgradePasswordHash(self.user.sub, self.rehashed_password))


class IssueCode(Frozen):
    """An authorization code may be issued: `family` is opened at generation 0, and `code` is stored beside it.

    `consent`, if given, is what the user has now allowed the client, `single_use` what the request used, and `client`
    the client, as its metadata document describes it by now.
    """

    reason: str
    family: Family
    code: AuthorizationCode
    browser_session_id: str
    consent: Consent | None = None
    single_use: SingleUse | None = None
    client: Client | None = None
    client_use: tuple[RecordClientUse, ...] = ()

    @property
    def writes(self) -> tuple[Write, ...]:
        """The client, family and code, the client's part in the browser session, the consent, and what was used."""
        described = () if self.client is None else (SaveClient(self.client),)
        signed_in = AddBrowserSessionClient(self.browser_session_id, self.family.client_id)
        consent = () if self.consent is None else (SaveConsent(self.consent),)
        single_use = () if self.single_use is None else (UseOnce(self.single_use),)
        code, used = InsertAuthorizationCode(self.code), (*self.client_use, *single_use)
        return *described, SaveFamily(self.family), code, signed_in, *consent, *used


class Deny(Frozen):
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

    @property
    def writes(self) -> tuple[Write, ...]:
        """The revoked family, if there is one."""
        return () if self.family is None else (SaveFamily(self.family),)


class End(Frozen):
    """A family or one access token ends; neither, if there was nothing left to end.

    `unknown_token` says that the presented token was never issued, which counts against the caller's rate limit.
    `owner` is the sub and the client_id of the access token.
    """

    reason: str
    family: Family | None = None
    token: RevokedAccessToken | None = None
    unknown_token: bool = False
    owner: tuple[str, str] | None = None

    @property
    def writes(self) -> tuple[Write, ...]:
        """The ended family and the revoked access token."""
        family = () if self.family is None else (SaveFamily(self.family),)
        return family if self.token is None else (*family, RevokeAccessToken(self.token))


class EndSessions(Frozen):
    """Several families of one user end, and browser sessions. `user`, if given, is the user with a new password.

    `renewed`, if given, is a browser session that continues with a new secret.
    """

    reason: str
    families: tuple[Family, ...]
    user: User | None = None
    browsers: DeleteBrowserSessionsOf | None = None
    renewed: BrowserSession | None = None

    @property
    def writes(self) -> tuple[Write, ...]:
        """The ended families and browser sessions, the one that continues, and the changed password."""
        families = tuple(SaveFamily(it) for it in self.families)
        ended: tuple[Write, ...] = families if self.browsers is None else (*families, self.browsers)
        renewed: tuple[Write, ...] = ended if self.renewed is None else (*ended, SaveBrowserSession(self.renewed))
        return renewed if self.user is None else (*renewed, SavePassword(self.user))


# Whether a refresh token is genuine cannot be told without the master key of its family. Nothing is changed: saying
# invalid_grant would make the app drop a good session, and 200 to a revocation would leave one alive.
MASTER_KEY_MISSING: Final = Deny(ErrorCode.TEMPORARILY_UNAVAILABLE, "master_key_missing")

D = TypeVar("D", Deny, End)


def refusal_of_unproven(family: Family | None, genuine: bool | None, unknown: D) -> D | Deny:
    """Return the decision about a token or code that is not known to be genuine: `unknown` if it was never issued.

    `genuine` is None if that cannot be determined because the master key is missing.
    """
    return MASTER_KEY_MISSING if family is not None and genuine is None else unknown
