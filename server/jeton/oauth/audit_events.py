"""Events of the audit trail: what each consists of, and which decisions are events.

The ledger writes them in the transaction of the decision, so that no change is without its event, and no event without
its change (ADR 0037).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from jeton.oauth.browser_session_rules import EndBrowserSessions, SignedIn
from jeton.oauth.decisions import Decision, Deny, End, EndSessions, Issue, IssueCode
from jeton.oauth.self_service import ChangeProfile
from jeton.oauth.sessions import Family
from jeton.oauth.writes import DeleteConsent, SaveConsent, SaveFamily, Write

SERVER: Final = "server"
CLIENT: Final = "client"
USER: Final = "user"
ADMINISTRATOR: Final = "administrator"


class AuditEvent(NamedTuple):
    """One event. `event`, `reason` and `actor` are fixed words; an `actor` of None is that of the origin.

    `sid` is a session, or a browser session. `target` is what else is changed, such as a resource or a key. None of
    them ever holds a secret, token, code or URL of a request.
    """

    event: str
    reason: str
    actor: str | None = None
    sub: str | None = None
    client_id: str | None = None
    sid: str | None = None
    target: str | None = None
    succeeded: bool = True


class AuditRecord(NamedTuple):
    """An event as it is stored, a row of `audit_records`: number `seq` of its chain, authenticated by `mac`.

    `mac` covers the MAC of the record before, all fields up to `target`, and `personal_digest`, which is made of `salt`
    and the fields after it. These are removed with the person, without which the chain is as valid.
    """

    chain: str
    seq: int
    created_at: int
    event: str
    outcome: str
    reason: str
    actor: str
    client_id: str | None
    sid: str | None
    request_id: str | None
    target: str | None
    master_key_id: str
    mac: bytes
    personal_digest: bytes
    salt: bytes | None
    sub: str | None
    address: str | None
    user_agent: str | None


# What decisions are, by their reasons. Reasons that are not here change nothing that has to be accounted for.
_EVENTS: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    "logged_in": (("signed_in", USER), ("token_issued", CLIENT)),
    "browser_signed_in": (("signed_in", USER),),
    "code_issued": (("code_issued", USER),),
    "code_redeemed": (("code_redeemed", CLIENT),),
    "code_repeated": (("code_redemption_repeated", CLIENT),),
    "rotated": (("token_refreshed", CLIENT),),
    "fast_forwarded": (("token_refreshed", CLIENT),),
    "retried": (("token_retried", CLIENT),),
    "forwarded": (("token_issued", CLIENT),),
    "refresh_token_reused": (("token_reused", CLIENT),),
    "code_reused": (("code_replayed", CLIENT),),
    "session_moved": (("session_moved", CLIENT),),
    "family_revoked": (("token_revoked", CLIENT),),
    "access_token_revoked": (("token_revoked", CLIENT),),
    "signed_out": (("signed_out", USER),),
    "ended_by_user": (("signed_out", USER),),
    "password_changed": (("password_changed", USER),),
    "profile_changed": (("profile_changed", USER),),
}
# Who ends a session, by the reason. For other reasons it is the origin.
_ENDS_SESSION: Final[Mapping[str, str]] = {
    "revoked_by_client": CLIENT,
    **dict.fromkeys(("ended_by_user", "signed_out", "password_changed", "consent_withdrawn"), USER),
}


def events_of(decision: Decision, writes: Sequence[Write], families: Mapping[str, Family]) -> Iterator[AuditEvent]:
    """Yield the events that a decision with these writes is. `families` are as they were before it, by sid."""
    names, sid = _EVENTS.get(decision.reason, ()), None
    if names and not _changes_nothing(decision, families):
        sub, client_id, sid = _parties(decision)
        for event, actor in names:
            succeeded = not isinstance(decision, Deny)
            yield AuditEvent(event, decision.reason, actor, sub, client_id, sid, succeeded=succeeded)
    if isinstance(decision, SignedIn):
        yield from _ended_by_sign_in(decision)
    for write in writes:
        if (event_of_write := _event_of_write(write, families, sid)) is not None:
            yield event_of_write


def _ended_by_sign_in(decision: SignedIn) -> Iterator[AuditEvent]:
    """Yield the events of the browser sessions that another one replaces, or that are over the limit."""
    if decision.ended is not None:
        for it in decision.ended.sessions:
            yield AuditEvent("signed_out", decision.ended.reason, USER, it.sub, None, it.browser_session_id)
    for it in decision.expired:
        yield AuditEvent("signed_out", "too_many_sessions", SERVER, it.sub, None, it.browser_session_id)


def _changes_nothing(decision: Decision, families: Mapping[str, Family]) -> bool:
    """Return whether this is a mere refusal, or ends what has ended already: a client may repeat that."""
    if not isinstance(decision, Deny | End) or decision.family is None:
        return isinstance(decision, Deny)
    before = families.get(decision.family.sid)
    return before is not None and before.revoked_at is not None


def _event_of_write(write: Write, families: Mapping[str, Family], sid: str | None) -> AuditEvent | None:
    """Return the event that a write is by itself, or None. `sid` is the session that the decision is about."""
    match write:
        case SaveFamily(family) if family.revoked_at is not None:
            before = families.get(family.sid)
            if before is not None and before.revoked_at is not None:
                return None
            reason = family.revoke_reason or ""
            return session_ended(reason, family.sub, family.client_id, family.sid, _ENDS_SESSION.get(reason))
        case SaveConsent(consent):
            return AuditEvent("consent_given", "consent_given", USER, consent.sub, consent.client_id, sid)
        case DeleteConsent(sub, client_id):
            return AuditEvent("consent_withdrawn", "consent_withdrawn", USER, sub, client_id)
    return None


def session_ended(reason: str, sub: str, client_id: str, sid: str, actor: str | None = None) -> AuditEvent:
    """Return the event that a session has ended."""
    return AuditEvent("session_ended", reason, actor, sub, client_id, sid)


def _parties(decision: Decision) -> tuple[str | None, str | None, str | None]:
    """Return the sub, client_id and sid that a decision is about, as far as it has them."""
    match decision:
        case Issue(family=Family() as family) | IssueCode(family=family) | Deny(family=Family() as family):
            return family.sub, family.client_id, family.sid
        case End(family=Family() as family):
            return family.sub, family.client_id, family.sid
        case End(owner=(sub, client_id)):
            return sub, client_id, None
        case SignedIn(user=user, session=session):
            return user.sub, None, session.browser_session_id
        case EndBrowserSessions(sessions=(session, *_)):
            return session.sub, None, session.browser_session_id
        case EndSessions(user=user) | ChangeProfile(user=user) if user is not None:
            return user.sub, None, None
    return None, None, None
