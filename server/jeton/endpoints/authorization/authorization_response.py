"""The authorization response (RFC 6749 section 4.1.2, RFC 9207): its code, and its parameters."""

from typing import Final, NoReturn

import structlog

from jeton.crypto.authorization_code import AuthorizationCodes
from jeton.crypto.refresh_token import generate_family_secret, generate_sid
from jeton.frozen import Frozen
from jeton.oauth.authorization.authorization_errors import AuthorizationRequestError
from jeton.oauth.authorization.authorization_request import AuthorizationRequest
from jeton.oauth.authorization.code_issuance import Approval, NewFamily, Stored, decide
from jeton.oauth.browser_sessions import BrowserSession
from jeton.oauth.clients import Client, Lifetimes
from jeton.oauth.consents import Consent
from jeton.oauth.decisions import Deny, IssueCode
from jeton.oauth.errors import ErrorCode
from jeton.oauth.registration.unregistered_clients import client_to_store
from jeton.oauth.sessions import Source
from jeton.oauth.single_use import SingleUse
from jeton.storage.authorization_codes import UnredeemedCodes
from jeton.storage.ledger.ledger import Entry, Facts, Ledger
from jeton.storage.ledger.lock_requests import LockBrowserSession, LockClient, LockConsent, LockNewCode
from jeton.storage.ledger.replay_store import only_once
from jeton.storage.status_index_allocator import StatusIndexAllocator

_NO_CODES: Final = UnredeemedCodes(0)
_USED: Final = Deny(ErrorCode.INVALID_REQUEST, "request_uri_used")

log = structlog.get_logger("jeton.authorization")


class RequestUsedError(Exception):
    """The request was answered before."""


class CodeIssuer(Frozen):
    """Issues authorization codes to users who are signed in."""

    ledger: Ledger
    status_indexes: StatusIndexAllocator
    authorization_codes: AuthorizationCodes
    master_key_id: str
    lifetimes: Lifetimes
    default_audience: str

    async def issue(
        self,
        request: AuthorizationRequest,
        approval: Approval,
        source: Source,
        single_use: SingleUse | None = None,
    ) -> str:
        """Return a code for what the user allows, which is all or a part of what was requested.

        Raise OAuthError if that is no longer possible: login_required if user or browser session have ended,
        consent_required if nothing stored covers the request, status 429 if the user has too many unused codes. Raise
        AuthorizationRequestError if the redirect URI is not the client's any more, RequestUsedError if `single_use` was
        used before.
        """
        client_id, sub = approval.client.client_id, approval.browser_session.sub
        new = await self._new_family(approval.client, source)
        locks = (
            LockConsent(sub, client_id),
            LockNewCode(sub),
            LockClient(client_id),
            LockBrowserSession(approval.browser_session.browser_session_id),
        )
        entry = Entry(lambda facts: self._decide(request, approval, new, facts), locks)
        decision = await self.ledger.enter(only_once(entry, single_use, _USED))
        if isinstance(decision, Deny):
            _refuse(decision, client_id)
        log.info(decision.reason, client_id=client_id, sub=sub, sid=new.sid, ip=source.ip)
        return self.authorization_codes.derive(new.sid, self.master_key_id, new.secret)

    async def _new_family(self, client: Client, source: Source) -> NewFamily:
        return NewFamily(
            generate_sid(),
            generate_family_secret(),
            self.master_key_id,
            await self.status_indexes.take(),
            source,
            self.lifetimes.with_overrides(client.lifetimes),
            self.default_audience,
        )

    def _decide(
        self, request: AuthorizationRequest, approval: Approval, new: NewFamily, facts: Facts
    ) -> IssueCode | Deny:
        client, session = approval.client, approval.browser_session
        stored = Stored(
            facts.client,
            facts.user,
            facts.rows.of(BrowserSession).get(session.browser_session_id),
            facts.rows.of(Consent).get((session.sub, client.client_id)),
            facts.rows.of(UnredeemedCodes).get(session.sub, _NO_CODES).count,
        )
        current = client_to_store(facts.client, client, facts.now)
        # A client that registered itself may have changed since it was read for the page.
        is_as_shown = current is not None and current.metadata_digest == client.metadata_digest
        return decide(
            request,
            approval.scope,
            current,
            stored,
            consented=approval.consented and is_as_shown,
            new=new,
            now=facts.now,
        )


def authorization_response_parameters(
    *,
    code: str | None = None,
    error: ErrorCode | None = None,
    description: str | None = None,
    state: str | None,
    iss: str,
) -> dict[str, str]:
    """Return the parameters of the response: a code or an error, never both. `iss` is the issuer (RFC 9207)."""
    values = {"code": code, "error": error, "error_description": description, "state": state, "iss": iss}
    return {name: str(value) for name, value in values.items() if value is not None}


def _refuse(denied: Deny, client_id: str) -> NoReturn:
    if denied is _USED:
        raise RequestUsedError
    if denied.reason == "redirect_uri_not_registered":
        raise AuthorizationRequestError(denied.code, denied.reason, client_id)
    raise denied.to_error()
