"""What a decision wants written. Each type is stored by one function (storage/ledger/writers.py)."""

from dataclasses import dataclass

from jeton.oauth.authorization_codes import AuthorizationCode
from jeton.oauth.browser_sessions import BrowserSession
from jeton.oauth.clients import Client
from jeton.oauth.consents import Consent
from jeton.oauth.sessions import Family, RevokedAccessToken
from jeton.oauth.single_use import SingleUse
from jeton.oauth.users import User


class Write:
    """Something to be written with a decision, in the same transaction."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class SaveFamily(Write):
    """Insert the family, or update it if it is stored already."""

    family: Family


@dataclass(frozen=True, slots=True)
class SaveClient(Write):
    """Insert a client that its metadata document describes, or update it. Its row, if there is one, must be locked."""

    client: Client


@dataclass(frozen=True, slots=True)
class RevokeAccessToken(Write):
    """Reject the access token until it expires."""

    token: RevokedAccessToken


@dataclass(frozen=True, slots=True)
class UpgradePasswordHash(Write):
    """Replace the hash of an unchanged password. No session ends by this."""

    sub: str
    password_hash: str


@dataclass(frozen=True, slots=True)
class SavePassword(Write):
    """Store the new password hash and password version of the user, whose row must be locked."""

    user: User


@dataclass(frozen=True, slots=True)
class SaveProfile(Write):
    """Store the claims about the user, whose row must be locked."""

    user: User


@dataclass(frozen=True, slots=True)
class InsertAuthorizationCode(Write):
    """Insert what a new authorization code needs beside its family."""

    code: AuthorizationCode


@dataclass(frozen=True, slots=True)
class SaveConsent(Write):
    """Insert the consent, or replace the one of the same user and client. The user's row must be locked."""

    consent: Consent


@dataclass(frozen=True, slots=True)
class UseOnce(Write):
    """Remember that this was used. The whole transaction is repeated if another one has used it since."""

    single_use: SingleUse


@dataclass(frozen=True, slots=True)
class AddBrowserSessionClient(Write):
    """Record that a browser session has signed in to a client."""

    browser_session_id: str
    client_id: str


@dataclass(frozen=True, slots=True)
class RecordClientUse(Write):
    """Record that the client is used now, unless its row is locked. Several in one transaction are one."""

    client_id: str
    now: int


@dataclass(frozen=True, slots=True)
class SaveBrowserSession(Write):
    """Insert the browser session, or update it if it is stored already."""

    session: BrowserSession


@dataclass(frozen=True, slots=True)
class DeleteBrowserSession(Write):
    """End the browser session. Its user's row must be locked."""

    browser_session_id: str
    ended_at: int


@dataclass(frozen=True, slots=True)
class ExpireBrowserSession(Write):
    """End the browser session as if it had expired: no client is notified. Its user's row must be locked."""

    browser_session_id: str


@dataclass(frozen=True, slots=True)
class DeleteBrowserSessionsOf(Write):
    """End the browser sessions of the user, except `keep`. The user's row must be locked."""

    sub: str
    ended_at: int
    keep: str | None = None


@dataclass(frozen=True, slots=True)
class DeleteConsent(Write):
    """Delete what the user has allowed the client. The user's row must be locked."""

    sub: str
    client_id: str
