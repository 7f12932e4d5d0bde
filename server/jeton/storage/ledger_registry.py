"""What the ledger can lock, and what it can write. A new kind of either is a class and an entry in a list here."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, Protocol, TypeVar

from sqlalchemy import Connection

from jeton.oauth.authorization_codes import AuthorizationCode
from jeton.oauth.browser_sessions import BrowserSession
from jeton.oauth.clients import Client
from jeton.oauth.consents import Consent
from jeton.oauth.sessions import Family
from jeton.oauth.single_use import SingleUse
from jeton.oauth.users import User
from jeton.oauth.writes import (
    AddBrowserSessionClient,
    DeleteBrowserSession,
    DeleteBrowserSessionsOf,
    DeleteConsent,
    ExpireBrowserSession,
    InsertAuthorizationCode,
    RecordClientUse,
    RevokeAccessToken,
    SaveBrowserSession,
    SaveClient,
    SaveConsent,
    SaveFamily,
    SavePassword,
    SaveProfile,
    UpgradePasswordHash,
    UseOnce,
    Write,
)
from jeton.storage.authorization_codes import (
    UnredeemedCodes,
    count_unredeemed_codes,
    insert_authorization_codes,
    load_authorization_codes,
)
from jeton.storage.browser_sessions import (
    delete_browser_sessions,
    delete_browser_sessions_of,
    expire_browser_sessions,
    insert_browser_session_clients,
    load_browser_session_ids,
    lock_browser_sessions,
    save_browser_sessions,
)
from jeton.storage.client_use import record_client_use
from jeton.storage.clients import lock_clients_shared, save_clients
from jeton.storage.consents import delete_consents, load_consents, save_consents
from jeton.storage.families import load_sids_of_browser_sessions, load_unended_sids, lock_families, save_families
from jeton.storage.lock_requests import (
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
from jeton.storage.revoked_access_tokens import insert_revoked_access_tokens
from jeton.storage.session_limit import OpenSessions, load_open_sessions
from jeton.storage.single_uses import insert_single_uses, load_single_uses
from jeton.storage.transaction_rows import TransactionRows
from jeton.storage.users import change_passwords, lock_users, save_profiles, upgrade_password_hashes

W = TypeVar("W", bound=Write)


@dataclass(frozen=True, slots=True)
class LockContext:
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


@dataclass(frozen=True, slots=True)
class Writer(Generic[W]):
    """How writes of one type are stored, and how later decisions of the same transaction see them."""

    store: Callable[[Connection, Sequence[W], TransactionRows], None]
    show: Callable[[TransactionRows, W], None] | None = None


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


def _count_new_code(rows: TransactionRows, code: AuthorizationCode) -> None:
    sub = rows.of(Family)[code.sid].sub
    found = rows.of(UnredeemedCodes).get(sub)
    rows.change(sub, UnredeemedCodes(1 if found is None else found.count + 1))


def _remove_browser_sessions(rows: TransactionRows, write: DeleteBrowserSessionsOf) -> None:
    for browser_session_id, session in tuple(rows.of(BrowserSession).items()):
        if session.sub == write.sub and browser_session_id != write.keep:
            rows.remove(BrowserSession, browser_session_id)


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

# In the order in which they are stored.
WRITERS: Final[Mapping[type[Write], Writer[Any]]] = {
    # Before the families and consents that refer to them. Of several, the last one has what the others changed.
    SaveClient: Writer(
        lambda connection, writes, _: save_clients(
            connection, {it.client.client_id: it.client for it in writes}.values()
        ),
        lambda rows, it: rows.change(it.client.client_id, it.client),
    ),
    SaveFamily: Writer(
        lambda connection, writes, rows: save_families(
            connection, {it.family.sid: it.family for it in writes}, rows.stored(Family)
        ),
        lambda rows, it: rows.change(it.family.sid, it.family),
    ),
    # After the family that they belong to.
    InsertAuthorizationCode: Writer(
        lambda connection, writes, _: insert_authorization_codes(connection, [it.code for it in writes]),
        lambda rows, it: _count_new_code(rows, it.code),
    ),
    DeleteConsent: Writer(
        lambda connection, writes, _: delete_consents(connection, [(it.sub, it.client_id) for it in writes]),
        lambda rows, it: rows.remove(Consent, (it.sub, it.client_id)),
    ),
    # After the deletions: of a consent that was given and withdrawn, or the reverse, the last decision counts.
    SaveConsent: Writer(
        lambda connection, writes, rows: save_consents(
            connection, [it.consent for it in writes if it.consent in rows.of(Consent).values()]
        ),
        lambda rows, it: rows.change((it.consent.sub, it.consent.client_id), it.consent),
    ),
    AddBrowserSessionClient: Writer(
        lambda connection, writes, _: insert_browser_session_clients(
            connection, {(it.browser_session_id, it.client_id) for it in writes}
        )
    ),
    RevokeAccessToken: Writer(
        lambda connection, writes, _: insert_revoked_access_tokens(connection, [it.token for it in writes])
    ),
    # Before a change of password: a login may have upgraded the hash of the old password in the same transaction.
    UpgradePasswordHash: Writer(
        lambda connection, writes, _: upgrade_password_hashes(connection, [(it.sub, it.password_hash) for it in writes])
    ),
    SaveBrowserSession: Writer(
        lambda connection, writes, rows: save_browser_sessions(
            connection, [it.session for it in writes], rows.stored(BrowserSession)
        ),
        lambda rows, it: rows.change(it.session.browser_session_id, it.session),
    ),
    DeleteBrowserSession: Writer(
        lambda connection, writes, _: delete_browser_sessions(
            connection, [it.browser_session_id for it in writes], max(it.ended_at for it in writes)
        ),
        lambda rows, it: rows.remove(BrowserSession, it.browser_session_id),
    ),
    ExpireBrowserSession: Writer(
        lambda connection, writes, _: expire_browser_sessions(connection, [it.browser_session_id for it in writes]),
        lambda rows, it: rows.remove(BrowserSession, it.browser_session_id),
    ),
    DeleteBrowserSessionsOf: Writer(
        lambda connection, writes, _: delete_browser_sessions_of(
            connection, [(it.sub, it.keep) for it in writes], max(it.ended_at for it in writes)
        ),
        _remove_browser_sessions,
    ),
    SavePassword: Writer(
        lambda connection, writes, _: change_passwords(connection, [it.user for it in writes]),
        lambda rows, it: rows.change(it.user.sub, it.user),
    ),
    RecordClientUse: Writer(
        lambda connection, writes, _: record_client_use(
            connection, {it.client_id for it in writes}, max(it.now for it in writes)
        )
    ),
    SaveProfile: Writer(
        lambda connection, writes, _: save_profiles(connection, [it.user for it in writes]),
        lambda rows, it: rows.change(it.user.sub, it.user),
    ),
    # Last: an insert waits for a transaction that has inserted the same row, and that one then waits for nothing.
    UseOnce: Writer(
        lambda connection, writes, _: insert_single_uses(connection, [it.single_use for it in writes]),
        lambda rows, it: rows.change(it.single_use.digest, it.single_use),
    ),
}
