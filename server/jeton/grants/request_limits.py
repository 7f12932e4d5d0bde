"""Rate limits of wrong client secrets, unknown tokens, requests and registrations (ADR 0010, ADR 0018)."""

from typing import Final

import structlog

from jeton.crypto.rate_limit_keys import RateLimitKeys
from jeton.frozen import Frozen
from jeton.grants.memory_limits import MemoryLimits
from jeton.login.address_limits import address_limits
from jeton.oauth.audit_events import SERVER, AuditEvent
from jeton.oauth.clients import Client
from jeton.oauth.errors import rate_limited
from jeton.oauth.sessions import Source
from jeton.rules.attempts import Attempt, Limit, RateLimited
from jeton.rules.network_prefix import network_prefix
from jeton.rules.rate_limit_policies import Rate
from jeton.storage.audit_backlog import AuditBacklog
from jeton.storage.clock import Clock
from jeton.storage.rate_limiter import RateLimiter

CLIENT: Final = "client"
ALL: Final = "all"

_CLIENT_ID_BUCKETS: Final = 4096

log = structlog.get_logger("jeton.request_limits")


class Limits(Frozen):
    """The rate of each kind of event; None means no limit."""

    secret_per_address: Rate | None = None
    secret_per_client: Rate | None = None
    token_per_address: Rate | None = None
    requests_per_client: Rate | None = None
    pushed_requests_per_account: Rate | None = None
    registrations_per_address: Rate | None = None
    registrations: Rate | None = None


class RequestLimits:
    """Counts failures and requests by address and by client."""

    def __init__(
        self, rate_limiter: RateLimiter, keys: RateLimitKeys, limits: Limits, clock: Clock, backlog: AuditBacklog
    ) -> None:
        self._rate_limiter = rate_limiter
        self._keys = keys
        self._limits = limits
        self._clock = clock
        self._backlog = backlog
        self._in_memory = MemoryLimits(clock)

    async def count_wrong_secret(self, client_id: str, source: Source) -> None:
        """Count one wrong client secret. Raise OAuthError if there were too many.

        Existing and unknown clients are counted alike, in a bounded number of buckets. Some share one, which does no
        harm, because the right secret is not subject to this limit.
        """
        limits = address_limits(self._keys, "secret", self._limits.secret_per_address, source.ip)
        rate = self._limits.secret_per_client
        if rate is not None:
            key = self._keys.shared_key("secret client", client_id, of=_CLIENT_ID_BUCKETS)
            limits = (*limits, Limit(CLIENT, key, rate))
        await self._count("client_secret_throttled", limits, source)

    async def count_unknown_token(self, source: Source) -> None:
        """Count one token that was never issued: for refreshing, or for registration.

        Raise OAuthError if there were too many.
        """
        limits = address_limits(self._keys, "token", self._limits.token_per_address, source.ip)
        await self._count("unknown_token_throttled", limits, source)

    async def count_registration(self, source: Source) -> None:
        """Count one new unregistered client. Raise OAuthError if there were too many."""
        limits = address_limits(self._keys, "registration", self._limits.registrations_per_address, source.ip)
        rate = self._limits.registrations
        if rate is not None:
            limits = (*limits, Limit(ALL, self._keys.key("registrations"), rate))
        await self._count("registration_throttled", limits, source)

    def count_request(self, client: Client, source: Source) -> None:
        """Count one request of the client to the token endpoint. Raise OAuthError if there were too many.

        Anyone can use a public client's id, so its requests are also counted by network.
        """
        key = ("client", client.client_id, network_prefix(source.ip) if client.public else None)
        self._in_memory.count("requests_throttled", (key, self._limits.requests_per_client))

    def count_pushed_request(self, sub: str) -> None:
        """Count one pushed authorization request that the user answers. Raise OAuthError if there were too many.

        Each is remembered for half an hour, and anyone can push in the name of a public client: without this limit, one
        user could fill the replay store.
        """
        limit = ("account", sub), self._limits.pushed_requests_per_account
        self._in_memory.count("pushed_requests_throttled", limit)

    async def _count(self, event: str, limits: tuple[Limit, ...], source: Source) -> None:
        if not limits:
            return
        refusal = self._rate_limiter.remembered(*(limit.key for limit in limits))
        if refusal is None:
            outcome = await self._rate_limiter.reserve(Attempt(limits, checked=False))
            if not isinstance(outcome, RateLimited):
                return
            refusal = outcome
            log.warning(event, by=refusal.limit, ip=source.ip)
            reached = AuditEvent("limit_reached", f"{event}_by_{refusal.limit}", SERVER, succeeded=False)
            self._backlog.add(reached, network_prefix(source.ip))
        raise rate_limited(f"{event}_by_{refusal.limit}", refusal.opens_at - self._clock.now())
