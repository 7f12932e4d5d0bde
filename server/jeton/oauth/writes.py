"""What a decision wants written. Each type is stored by one function (storage/ledger/writers.py)."""

from jeton.frozen import Frozen
from jeton.oauth.authorization_codes import AuthorizationCode
from jeton.oauth.browser_sessions import BrowserSession
from jeton.oauth.clients import Client
from jeton.oauth.consents import Consent
from jeton.oauth.sessions import Family, RevokedAccessToken
from jeton.oauth.single_use import SingleUse
from jeton.oauth.users import User


class Write(Frozen):
    """Something to be written with a decision, in the same transaction."""


class SaveFamily(Write):
    """Insert the family, or update it if it is stored already."""

    family: Family


class SaveClient(Write):
    """Insert a client that its metadata document describes, or update it. Its row, if there is one, must be locked."""

    client: Client


class RevokeAccessToken(Write):
    """Reject the access token until it expires."""

    token: RevokedAccessToken


class UpgradePasswordHash(Write):
    """Replace the hash of an unchanged password. No session ends by this."""

    sub: str
    password_hash: str


class SavePassword(Write):
    """Store the new password hash and password version of the user, whose row must be locked."""

    user: User


class SaveProfile(Write):
    """Store the claims about the user, whose row must be locked."""

    user: User


class InsertAuthorizationCode(Write):
    """Insert what a new authorization code needs beside its family."""

    code: AuthorizationCode


class SaveConsent(Write):
    """Insert the consent, or replace the one of the same user and client. The user's row must be locked."""

    consent: Consent


class UseOnce(Write):
    """Remember that this was used. The whole transaction is repeated if another one has used it since."""

    single_use: SingleUse


class AddBrowserSessionClient(Write):
    """Record that a browser session has signed in to a client."""

    browser_session_id: str
    client_id: str


class RecordClientUse(Write):
    """Record that the client is used now, unless its row is locked. Several in one transaction are one."""

    client_id: str
    now: int


class SaveBrowserSession(Write):
    """Insert the browser session, or update it if it is stored already."""

    session: BrowserSession


class DeleteBrowserSession(Write):
    """End the browser session. Its user's row must be locked."""

    browser_session_id: str
    ended_at: int


class ExpireBrowserSession(Write):
    """End the browser session as if it had expired: no client is notified. Its user's row must be locked."""

    browser_session_id: str


class DeleteBrowserSessionsOf(Write):
    """End the browser sessions of the user, except `keep`. The user's row must be locked."""

    sub: str
    ended_at: int
    keep: str | None = None


class DeleteConsent(Write):
    """Delete what the user has allowed the client. The user's row must be locked."""

    sub: str
    client_id: str
