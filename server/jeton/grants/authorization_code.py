"""grant_type=authorization_code (RFC 6749 section 4.1.3). The rules are in `oauth.code_redemption`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from jeton.crypto.authorization_code import (
    AuthorizationCodes,
    PresentedCode,
    parse_authorization_code,
    s256_challenge,
)
from jeton.frozen import Frozen
from jeton.grants.description import Grant, GrantParts, Redeem
from jeton.grants.request import TokenRequest
from jeton.oauth.authorization.authorization_request import GRANT_TYPE
from jeton.oauth.authorization.code_redemption import CODE_UNKNOWN, RedemptionRequest, decide
from jeton.oauth.authorization.pkce import is_code_verifier
from jeton.oauth.authorization_codes import AuthorizationCode
from jeton.oauth.decisions import Deny, Issue
from jeton.oauth.dpop_rules import PROOF_REPLAYED
from jeton.oauth.errors import ErrorCode
from jeton.oauth.parameters import require
from jeton.storage.ledger.ledger import Entry, Facts, Ledger
from jeton.storage.ledger.lock_requests import LockAuthorizationCode, LockSessionsOverLimit
from jeton.storage.ledger.replay_store import only_once

if TYPE_CHECKING:  # for the command line, see grants/description.py
    from jeton.crypto.refresh_token import RefreshTokens
    from jeton.grants.token_failures import TokenFailures
    from jeton.storage.lookups import Lookups


class AuthorizationCodeGrant(Frozen):
    """Redeems authorization codes."""

    ledger: Ledger
    lookups: Lookups
    authorization_codes: AuthorizationCodes
    refresh_tokens: RefreshTokens
    token_failures: TokenFailures

    async def redeem(self, request: TokenRequest) -> Issue | Deny:
        """Redeem the presented code, or refuse it; a second use by its owner ends the session."""
        presented = parse_authorization_code(require(request.parameters, "code"))
        if presented is None:
            return Deny(ErrorCode.INVALID_GRANT, "code_malformed")
        verifier = request.parameters.get("code_verifier")
        if verifier is not None and not is_code_verifier(verifier):
            return Deny(ErrorCode.INVALID_GRANT, "code_verifier_malformed")
        decision = await self._decision(presented, None if verifier is None else s256_challenge(verifier), request)
        await self.token_failures.record(decision, presented, request.source)
        return decision

    async def _decision(self, presented: PresentedCode, challenge: str | None, request: TokenRequest) -> Issue | Deny:
        key = request.repetition_key
        redemption = RedemptionRequest(
            request.parameters.get("redirect_uri"),
            challenge,
            request.resources,
            None if key is None else self.refresh_tokens.idempotency_digest(key),
            request.source,
            request.confirmation,
        )
        sub = await self.lookups.owner_of(presented.sid)
        if sub is None:
            return CODE_UNKNOWN
        # The user is locked before the family. A family never changes its user, so that reading it before is safe.
        locks = (LockSessionsOverLimit(sub), LockAuthorizationCode(presented.sid))
        entry = Entry(lambda facts: self._decide(presented, redemption, request, facts), locks)
        return await self.ledger.enter(only_once(entry, request.single_use, PROOF_REPLAYED))

    def _decide(
        self, presented: PresentedCode, redemption: RedemptionRequest, request: TokenRequest, facts: Facts
    ) -> Issue | Deny:
        return decide(
            facts.family,
            facts.rows.of(AuthorizationCode).get(presented.sid),
            facts.user,
            request.client_now(facts.client),
            redemption,
            genuine=self.authorization_codes.is_genuine(presented, facts.family),
            lifetimes=request.lifetimes,
            surplus=facts.sessions,
            now=facts.now,
        )


def _build(parts: GrantParts) -> Redeem:
    return AuthorizationCodeGrant(
        parts.ledger,
        parts.lookups,
        parts.authorization_codes,
        parts.refresh_tokens,
        parts.token_failures,
    ).redeem


AUTHORIZATION_CODE: Final = Grant(
    GRANT_TYPE, _build, parameters=("code", "redirect_uri", "code_verifier"), announced_on_use=True
)
