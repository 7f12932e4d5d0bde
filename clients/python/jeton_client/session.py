"""Session state: what is stored, and when it is renewed. The caller supplies time and jitter."""

import json
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final, Literal, get_args

from jeton_client.errors import LoginRequiredError
from jeton_client.strict_json import is_number, parse_object
from jeton_client.token_answers import Tokens

REPEATABLE_SECONDS: Final = 300.0  # how long a server repeats its response
_LEAD_SECONDS: Final = 60.0
_LEAD_SHARE: Final = 0.2
_MARGIN_SECONDS: Final = 5.0
_MARGIN_SHARE: Final = 0.05

Grant = Literal["password", "authorization_code", "client_credentials"]


@dataclass(frozen=True, slots=True)
class PendingRefresh:
    """A refresh that was begun and has no outcome yet: it is repeated with this key only."""

    idempotency_key: str = field(repr=False)
    begun_at: float


@dataclass(frozen=True, slots=True)
class Session:
    """The stored state: tokens, grant, requested scope, and the pending refresh."""

    tokens: Tokens
    grant: Grant
    scope: str | None = None
    pending: PendingRefresh | None = None

    def to_json(self) -> str:
        """Return the text to store. It contains the tokens in clear."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Session":
        """Return the session. Raise ValueError if the text is not the output of `to_json`."""
        members: dict[str, Any] = parse_object(text.encode())
        try:
            pending = members.pop("pending")
            tokens = Tokens(**members.pop("tokens"))
            session = cls(tokens, pending=pending and PendingRefresh(**pending), **members)
        except (TypeError, KeyError):
            raise ValueError("not a stored session") from None
        if not _is_well_formed(session):
            raise ValueError("not a stored session")
        return session


def has_ended(tokens: Tokens, now: float) -> bool:
    """Return whether the access token has ended: shortly before it expires, so that it is valid on arrival."""
    if tokens.expires_at is None:
        return False
    return now >= tokens.expires_at - min(_MARGIN_SECONDS, _MARGIN_SHARE * _lifetime(tokens))


def renew_at(tokens: Tokens, jitter: float) -> float:
    """Return when to renew: one to two leads before the end, by `jitter` from 0 to 1, to spread the requests."""
    if tokens.expires_at is None:
        return float("inf")
    lead = min(_LEAD_SECONDS, _LEAD_SHARE * _lifetime(tokens))
    return tokens.expires_at - lead * (1 + jitter)


def begin_renewal(session: Session, idempotency_key: str, now: float) -> Session:
    """Return the session to store before the request is sent. A pending refresh continues with its own key."""
    if session.tokens.refresh_token is None and session.grant != "client_credentials":
        raise LoginRequiredError("the session has ended, and the server gave no refresh token")
    if session.pending is not None or session.grant == "client_credentials":
        return session
    return replace(session, pending=PendingRefresh(idempotency_key, now))


def asked_at(session: Session, begun: float, now: float) -> float:
    """Return when the lifetimes in a response to a renewal start: a repeated response is as old as the first."""
    return begun if session.pending is None else max(session.pending.begun_at, now - REPEATABLE_SECONDS)


def renewed(session: Session, tokens: Tokens) -> Session:
    """Return the session with these tokens, which a refresh has returned. What it did not return remains."""
    return replace(
        session,
        tokens=replace(
            tokens,
            refresh_token=tokens.refresh_token or session.tokens.refresh_token,  # RFC 6749 section 6
            id_token=tokens.id_token or session.tokens.id_token,  # OpenID Connect Core 12.2; the hint for a logout
        ),
        pending=None,
    )


def _is_well_formed(session: Any) -> bool:
    """Return whether every member has its type. The stored text may come from another program."""
    tokens, pending = session.tokens, session.pending
    texts = (tokens.refresh_token, tokens.id_token, tokens.scope, session.scope)
    return (
        session.grant in get_args(Grant)
        and isinstance(tokens.access_token, str)
        and is_number(tokens.received_at)
        and (tokens.expires_at is None or is_number(tokens.expires_at))
        and all(text is None or isinstance(text, str) for text in texts)
        and (pending is None or (isinstance(pending.idempotency_key, str) and is_number(pending.begun_at)))
    )


def _lifetime(tokens: Tokens) -> float:
    return (tokens.expires_at or 0.0) - tokens.received_at
