"""The authorization response (RFC 6749 section 4.1.2, RFC 9207): its code, and its parameters."""

from dataclasses import dataclass
from typing import Final, NoReturn

import structlog

from jeton.crypto.authorization_code import AuthorizationCodes
from jeton.crypto.refresh_token import generate_family_secret, generate_sid
from jeton.oauth import code_issuance
from jeton.oauth.authorization_errors import AuthorizationRequestError
from jeton.oauth.authorization_request import AuthorizationRequest
from jeton.oauth.browser_sessions import BrowserSession
from jeton.oauth.clients import Client, Lifetimes
from jeton.oauth.consents import Consent
from jeton.oauth.decisions import Deny, IssueCode
from jeton.oauth.errors import ErrorCode
from jeton.oauth.scope import Scope
from jeton.oauth.sessions import Source
from jeton.oauth.single_use import SingleUse
from jeton.oauth.unregistered_clients import client_to_store
from jeton.storage.authorization_codes import UnredeemedCodes
from jeton.storage.ledger import Entry, Facts, Ledger
from jeton.storage.lock_requests import LockBrowserSession, LockClient, LockConsent, LockNewCode
from jeton.storage.replay_store import only_once
from jeton.storage.status_index_allocator import StatusIndexAllocator

_NO_CODES: Final = UnredeemedCodes(0)
_USED: Final = Deny(ErrorCode.INVALID_REQUEST, "request_uri_used")

log = structlog.get_logger("jeton.authorization")


class RequestUsedError(Exception):
    """The request was answered before."""


@dataclass(frozen=True, slots=True)
class CodeIssuer:
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
        client: Client,
        browser_session: BrowserSession,
        scope: Scope,
        source: Source,
        *,
        consented: bool,
        single_use: SingleUse | None = None,
    ) -> str:
        """Return a code for this scope, which is all or a part of what was requested.

        `consented` says that the user has just allowed it on a page that showed `client`, to be remembered. Raise
        OAuthError if that is no longer possible: login_required if user or browser session have ended, consent_required
        if nothing stored covers the request, status 429 if the user has too many unused codes. Raise
        AuthorizationRequestError if the redirect URI is not the client's any more, RequestUsedError if `single_use` was
        used before.
        """
        sub, session_id = browser_session.sub, browser_session.browser_session_id
        status_index = await self.status_indexes.take()
        new = code_issuance.NewFamily(
            generate_sid(), generate_family_secret(), self.master_key_id, status_index, source
        )

        def decide(facts: Facts) -> IssueCode | Deny:
            stored = code_issuance.Stored(
                facts.client,
                facts.user,
                facts.rows.of(BrowserSession).get(session_id),
                facts.rows.of(Consent).get((sub, client.client_id)),
                facts.rows.of(UnredeemedCodes).get(sub, _NO_CODES).count,
            )
            current = client_to_store(facts.client, client, facts.now)
            return code_issuance.decide(
                request,
                scope,
                current,
                stored,
                # A client that registered itself may have changed since it was read for the page.
                consented=consented and current is not None and current.metadata_digest == client.metadata_digest,
                new=new,
                lifetimes=self.lifetimes.with_overrides(client.lifetimes),
                default_audience=self.default_audience,
                now=facts.now,
            )

        locks = (
            LockConsent(sub, client.client_id),
            LockNewCode(sub),
            LockClient(client.client_id),
            LockBrowserSession(session_id),
        )
        decision = await self.ledger.enter(only_once(Entry(decide, locks), single_use, _USED))
        if isinstance(decision, Deny):
            _refuse(decision, client)
        family = decision.family
        log.info(decision.reason, client_id=client.client_id, sub=sub, sid=family.sid, ip=source.ip)
        return self.authorization_codes.derive(family.sid, family.master_key_id, family.secret)


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


def _refuse(denied: Deny, client: Client) -> NoReturn:
    if denied is _USED:
        raise RequestUsedError
    if denied.reason == "redirect_uri_not_registered":
        raise AuthorizationRequestError(denied.code, denied.reason, client.client_id)
    raise denied.to_error()
