"""What follows from a refresh token or code that was never issued, or that needs a missing master key."""

from jeton.crypto.family_tags import Tagged
from jeton.frozen import Frozen
from jeton.grants.request_limits import RequestLimits
from jeton.oauth.decisions import MASTER_KEY_MISSING, Deny, End, Issue
from jeton.oauth.sessions import Source
from jeton.observability.missing_master_keys import MissingMasterKeys


class TokenFailures(Frozen):
    """Logs missing master keys, and counts tokens that were never issued against the caller."""

    missing_master_keys: MissingMasterKeys
    request_limits: RequestLimits

    async def record(self, decision: Issue | End | Deny, presented: Tagged, source: Source) -> None:
        """Record the failure, if the decision is one of these. Raise OAuthError if there were too many."""
        if decision == MASTER_KEY_MISSING:
            self.missing_master_keys.report(presented.master_key_id)
        if not isinstance(decision, Issue) and decision.unknown_token:
            await self.request_limits.count_unknown_token(source)
