"""The order in which the ledger locks, in every transaction. A new kind of lock has a class and an entry here."""

from collections.abc import Iterable, Sequence
from typing import Final, Protocol

from sqlalchemy import Connection

from jeton.frozen import Frozen
from jeton.oauth.authorization_codes import AuthorizationCode
from jeton.oauth.browser_sessions import BrowserSession
from jeton.oauth.clients import Client
from jeton.oauth.consents import Consent
from jeton.oauth.sessions import Family
from jeton.oauth.single_use import SingleUse
from jeton.oauth.users import User
from jeton.storage.authorization_codes import UnredeemedCodes, count_unredeemed_codes, load_authorization_codes
from jeton.storage.browser_sessions import load_browser_session_ids, lock_browser_sessions
from jeton.storage.clients import lock_clients_shared
from jeton.storage.consents import load_consents
from jeton.storage.families import load_sids_of_browser_sessions, load_unended_sids, lock_families
from jeton.storage.ledger.lock_requests import (
    Lock,
    LockAuthorizationCode,
    LockBrowserSession,
    LockBrowserSessionsOf,
    LockClient,
    LockConsent,
    LockFamily,
    LockNewCode,
    LockSessionsOf,
    LockSessionsOfBrowser,
    LockSessionsOverLimit,
    LockSingleUse,
    LockUser,
)
from jeton.storage.ledger.session_limit import OpenSessions, load_open_sessions
from jeton.storage.ledger.transaction_rows import TransactionRows
from jeton.storage.single_uses import load_single_uses
from jeton.storage.users import lock_users


class LockContext(Frozen):
    """What the functions in `LOCK_ORDER` work with. They add to `rows` what they have locked.

    With `wait`, they wait for rows that another transaction has locked; otherwise they skip those.
    """

    connection: Connection
    rows: TransactionRows
    now: int
    max_sessions: int
    wait: bool


class LockRows(Protocol):
    """Locks the rows of certain requests, and returns the requests that a skipped row belongs to."""

    def __call__(self, context: LockContext, requests: Sequence[Lock]) -> Iterable[Lock]: ...


def lock_requested_users(context: LockContext, requests: Sequence[Lock]) -> Iterable[Lock]:
    """Lock users, in the order of their subs."""
    wanted = [it for it in requests if isinstance(it, LockUser)]
    locked = lock_users(context.connection, {it.sub for it in wanted}, wait=context.wait)
    context.rows.add(User, locked.rows)
    return [it for it in wanted if it.sub in locked.skipped] if locked.skipped else ()


def lock_requested_clients(context: LockContext, requests: Sequence[Lock]) -> Iterable[Lock]:
    """Lock clients, in the order of their client_ids."""
    wanted = [it for it in requests if isinstance(it, LockClient)]
    locked = lock_clients_shared(context.connection, {it.client_id for it in wanted}, wait=context.wait)
    context.rows.add(Client, locked.rows)
    return [it for it in wanted if it.client_id in locked.skipped] if locked.skipped else ()


def lock_requested_browser_sessions(context: LockContext, requests: Sequence[Lock]) -> Iterable[Lock]:
    """Lock browser sessions, in the order of their ids: in one statement, because two would lock in two orders."""
    users = {it.sub for it in requests if isinstance(it, LockBrowserSessionsOf)} if context.max_sessions else set()
    of_users = load_browser_session_ids(context.connection, context.now, users)

    def ids_of(request: Lock) -> Iterable[str]:
        match request:
            case LockBrowserSession(browser_session_id):
                return (browser_session_id,)
            case LockBrowserSessionsOf(sub):
                return of_users.get(sub, ())
        return ()

    wanted = {browser_session_id for it in requests for browser_session_id in ids_of(it)}
    locked = lock_browser_sessions(context.connection, wanted, wait=context.wait)
    context.rows.add(BrowserSession, locked.rows)
    return [it for it in requests if not locked.skipped.isdisjoint(ids_of(it))] if locked.skipped else ()


def load_requested_consents(context: LockContext, requests: Sequence[Lock]) -> Iterable[Lock]:
    """Read consents of users who are locked by now."""
    wanted = {(it.sub, it.client_id) for it in requests if isinstance(it, LockConsent)}
    context.rows.add(Consent, load_consents(context.connection, wanted))
    return ()


def lock_requested_families(context: LockContext, requests: Sequence[Lock]) -> Iterable[Lock]:
    """Lock families, in the order of their sids: in one statement, because two would lock in two orders."""
    connection, rows = context.connection, context.rows
    logins = [it.sub for it in requests if isinstance(it, LockSessionsOverLimit)] if context.max_sessions else []
    open_sessions = load_open_sessions(connection, context.now, logins, context.max_sessions)
    rows.add(OpenSessions, open_sessions)
    unended = load_unended_sids(connection, {it.sub for it in requests if isinstance(it, LockSessionsOf)})

    browser_sessions = {it.browser_session_id for it in requests if isinstance(it, LockSessionsOfBrowser)}
    of_browser = load_sids_of_browser_sessions(connection, browser_sessions)

    def sids_of(request: Lock) -> Iterable[str]:
        match request:
            case LockSessionsOfBrowser(browser_session_id):
                return of_browser.get(browser_session_id, ())
            case LockFamily(sid):
                return (sid,)
            case LockSessionsOf(sub):
                return unended.get(sub, ())
            case LockSessionsOverLimit(sub) if sub in open_sessions:
                return open_sessions[sub].sids_over_limit
        return ()

    locked = lock_families(connection, {sid for it in requests for sid in sids_of(it)}, wait=context.wait)
    rows.add(Family, locked.rows)
    return [it for it in requests if not locked.skipped.isdisjoint(sids_of(it))] if locked.skipped else ()


def load_requested_codes(context: LockContext, requests: Sequence[Lock]) -> Iterable[Lock]:
    """Read the authorization codes of families that are locked by now, and count those of users who are."""
    counted = {it.sub for it in requests if isinstance(it, LockNewCode)}
    context.rows.add(UnredeemedCodes, count_unredeemed_codes(context.connection, context.now, counted))
    wanted = {it.sid for it in requests if isinstance(it, LockAuthorizationCode)}
    context.rows.add(AuthorizationCode, load_authorization_codes(context.connection, wanted))
    return ()


def load_requested_single_uses(context: LockContext, requests: Sequence[Lock]) -> Iterable[Lock]:
    """Read what was used before."""
    wanted = {it.digest for it in requests if isinstance(it, LockSingleUse)}
    context.rows.add(SingleUse, load_single_uses(context.connection, wanted))
    return ()


# The order in which every transaction locks, so that two of them never wait for each other.
LOCK_ORDER: Final[tuple[LockRows, ...]] = (
    lock_requested_users,
    lock_requested_clients,
    lock_requested_browser_sessions,
    load_requested_consents,
    lock_requested_families,
    load_requested_codes,
    load_requested_single_uses,
)
