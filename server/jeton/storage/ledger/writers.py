"""What the ledger can write, and in which order. A new kind of write is a class and an entry in `WRITERS`."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Generic, TypeVar

from sqlalchemy import Connection

from jeton.frozen import Frozen
from jeton.oauth.authorization_codes import AuthorizationCode
from jeton.oauth.browser_sessions import BrowserSession
from jeton.oauth.consents import Consent
from jeton.oauth.sessions import Family
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
from jeton.storage.authorization_codes import UnredeemedCodes, insert_authorization_codes
from jeton.storage.browser_sessions import (
    delete_browser_sessions,
    delete_browser_sessions_of,
    expire_browser_sessions,
    insert_browser_session_clients,
    save_browser_sessions,
)
from jeton.storage.client_use import record_client_use
from jeton.storage.clients import save_clients
from jeton.storage.consents import delete_consents, save_consents
from jeton.storage.families import save_families
from jeton.storage.ledger.transaction_rows import TransactionRows
from jeton.storage.revoked_access_tokens import insert_revoked_access_tokens
from jeton.storage.single_uses import insert_single_uses
from jeton.storage.users import change_passwords, save_profiles, upgrade_password_hashes

W = TypeVar("W", bound=Write)


class Writer(Frozen, Generic[W]):
    """How writes of one type are stored, and how later decisions of the same transaction see them."""

    store: Callable[[Connection, Sequence[W], TransactionRows], None]
    show: Callable[[TransactionRows, W], None] | None = None


def _count_new_code(rows: TransactionRows, code: AuthorizationCode) -> None:
    sub = rows.of(Family)[code.sid].sub
    found = rows.of(UnredeemedCodes).get(sub)
    rows.change(sub, UnredeemedCodes(1 if found is None else found.count + 1))


def _remove_browser_sessions(rows: TransactionRows, write: DeleteBrowserSessionsOf) -> None:
    for browser_session_id, session in tuple(rows.of(BrowserSession).items()):
        if session.sub == write.sub and browser_session_id != write.keep:
            rows.remove(BrowserSession, browser_session_id)


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
