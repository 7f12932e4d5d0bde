"""Each pushed authorization request is answered once (RFC 9126 section 7.3), by a code or a refusal."""

from typing import Final

from jeton.crypto.single_use_digest import single_use_digest
from jeton.endpoints.authorization.interactions import INTERACTION_SECONDS, RELAY_SECONDS
from jeton.endpoints.page_messages import PageError
from jeton.frozen import Frozen
from jeton.grants.request_limits import RequestLimits
from jeton.oauth.authorization.pushed_requests import PUSHED_SECONDS
from jeton.oauth.single_use import SingleUse
from jeton.pages.content import Fault
from jeton.storage.clock import Clock
from jeton.storage.ledger.replay_store import ReplayStore

# No page of the request can be open for longer.
_REMEMBERED_SECONDS: Final = PUSHED_SECONDS + RELAY_SECONDS + INTERACTION_SECONDS + 1


class PushedRequestUses(Frozen):
    """Remembers which pushed requests were answered, on all nodes."""

    store: ReplayStore
    request_limits: RequestLimits
    clock: Clock

    def single_use(self, pushed_id: str | None, sub: str) -> SingleUse | None:
        """Return what is written with the answer of this user; None for a request that was not pushed.

        Raise ReplayStoreFullError if nothing can be written now, OAuthError if the user has answered too many.
        """
        if pushed_id is None:
            return None
        self.request_limits.count_pushed_request(sub)
        self.store.require_room()
        return self._use_of(pushed_id)

    async def use(self, pushed_id: str | None, sub: str) -> None:
        """Use the request up, as `single_use` does. Raise PageError if it was answered before."""
        single_use = self.single_use(pushed_id, sub)
        if single_use is not None and not await self.store.use(single_use):
            raise used_error()

    async def check_unused(self, pushed_id: str) -> None:
        """Raise PageError if the request was answered before."""
        if await self.store.was_used(self._use_of(pushed_id).digest):
            raise used_error()

    def _use_of(self, pushed_id: str) -> SingleUse:
        digest = single_use_digest("pushed request", pushed_id)
        return SingleUse(digest, self.clock.now() + _REMEMBERED_SECONDS)


def used_error() -> PageError:
    """Return the refusal of a pushed request that was answered before."""
    return PageError(Fault.EXPIRED, "request_uri_used", about={"error": "invalid_request_uri"})
