"""Login rate limits: the limits by address, client and account that apply to a login (ADR 0010, ADR 0018)."""

from typing import Final

import structlog

from jeton.crypto.rate_limit_keys import RateLimitKeys
from jeton.frozen import Frozen, replace
from jeton.login.address_limits import address_limits
from jeton.oauth.sessions import Source
from jeton.oauth.users import User
from jeton.rules.attempts import Attempt, Limit, RateLimited, Reservation, WhenFull
from jeton.rules.network_prefix import network_prefix
from jeton.rules.rate_limit_policies import MAX_FAILURES, BackoffPolicy, Rate
from jeton.storage.rate_limiter import RateLimiter

CLIENT: Final = "client"
ACCOUNT: Final = "account"
KNOWN_SOURCE: Final = "known_source"
KNOWN_ADDRESS: Final = "known_address"
SESSION: Final = "session"
SUCCESSES: Final = "successes"

# Consecutive failures of an account, over all known sources.
_ALL_KNOWN: Final = BackoffPolicy(MAX_FAILURES, 0, 0, limit=MAX_FAILURES)
_KNOWN_ADDRESS_FACTOR: Final = 10
_UNKNOWN_NAME_BUCKETS: Final = 4096

log = structlog.get_logger("jeton.login")


class LoginLimits(Frozen):
    """The configured limits. None means no limit; with `known_seconds` 0, no source is ever known."""

    per_address: Rate | None = None
    per_client: Rate | None = None
    per_account: BackoffPolicy | None = None
    per_known_source: BackoffPolicy | None = None
    successes_per_account: Rate | None = None
    known_seconds: int = 0


class LoginRequest(Frozen):
    """A login to be rate-limited. `name` is canonical if it has a canonical form.

    `client_id` is empty if the user signs in for their own account page. `session` says that the user has a live
    session and confirms the password.
    """

    name: str
    client_id: str
    source: Source
    session: bool = False

    @property
    def network(self) -> str | None:
        """The network prefix of the source, or None if it has no address."""
        return network_prefix(self.source.ip)


class _AccountKeys(Frozen):
    """Bucket keys of one account. The bucket `source` exists if the network is a known source of the account."""

    account: bytes
    known_source: bytes
    all_known: bytes
    session: bytes
    successes: bytes
    source: bytes

    @property
    def of_failures(self) -> tuple[bytes, ...]:
        return self.account, self.known_source, self.all_known, self.session


class LoginRateLimits:
    """Counts logins by network, client and account."""

    def __init__(self, limiter: RateLimiter, keys: RateLimitKeys, limits: LoginLimits) -> None:
        self._limiter = limiter
        self._keys = keys
        self._limits = limits

    def recent_refusal(self, login: LoginRequest) -> RateLimited | None:
        """Return the refusal of the same login a moment ago, or None. Does not query the database."""
        return self._limiter.remembered(self._cache_key(login))

    async def reserve(self, login: LoginRequest, user: User | None) -> Reservation | RateLimited:
        """Count one attempt of the user under its limits, or return the limit that refuses it.

        A name without a user needs as many buckets, so that both cost the same.
        """
        outcome = await self._limiter.reserve(self._attempt(login, user))
        if isinstance(outcome, RateLimited) and not outcome.pending:
            self._limiter.remember(self._cache_key(login), outcome)
            log.warning(
                "login_throttled",
                by=outcome.limit,
                until=outcome.opens_at,
                # Never the name of an unknown user: it may be a mistyped password.
                sub=user.sub if user else None,
                client_id=login.client_id,
                ip=login.source.ip,
            )
        return outcome

    async def succeed(self, reservation: Reservation) -> RateLimited | None:
        return await self._limiter.succeed(reservation)

    async def fail(self, reservation: Reservation) -> None:
        await self._limiter.fail(reservation)

    async def release(self, reservation: Reservation) -> None:
        await self._limiter.release(reservation)

    def _attempt(self, login: LoginRequest, user: User | None) -> Attempt:
        """Return the limits of the login: from a live session, from a known source, and from any other source."""
        limits, keys = self._limits, self._account_keys(login, user)
        addresses = address_limits(self._keys, "login", limits.per_address, login.source.ip)
        client = self._client_limits(login.client_id)
        rate = limits.successes_per_account
        successes = None if rate is None else Limit(SUCCESSES, keys.successes, rate)
        attempt = Attempt((*addresses, *client), successes=successes)
        if limits.per_account is None or limits.per_known_source is None:
            return attempt
        attempt = replace(attempt, reset=keys.of_failures)
        if login.network is not None and limits.known_seconds:
            attempt = replace(attempt, source=keys.source, known_seconds=limits.known_seconds)
        # From a live session or a known source the right password works although the limit of the address is reached.
        full_addresses = tuple(replace(limit, when_full=WhenFull.REFUSE_IF_WRONG) for limit in addresses)
        trusted = (*full_addresses, *client, *self._known_address_limits(login))
        if login.session:
            in_session = Limit(SESSION, keys.session, replace(limits.per_known_source, limit=MAX_FAILURES))
            return replace(attempt, limits=(*trusted, in_session), known_limits=(*trusted, in_session))
        account = Limit(ACCOUNT, keys.account, limits.per_account)
        known_source = Limit(KNOWN_SOURCE, keys.known_source, limits.per_known_source)
        all_known = Limit(ACCOUNT, keys.all_known, _ALL_KNOWN)
        return replace(
            attempt,
            limits=(*attempt.limits, account, replace(all_known, counted=False)),
            known_limits=(*trusted, known_source, all_known),
        )

    def _client_limits(self, client_id: str) -> tuple[Limit, ...]:
        """Return the limit of the client. It delays and never refuses: a refusal would lock out all its users."""
        rate = self._limits.per_client
        key = self._keys.key("login client", client_id)
        return () if rate is None or not client_id else (Limit(CLIENT, key, rate, WhenFull.DELAY),)

    def _known_address_limits(self, login: LoginRequest) -> tuple[Limit, ...]:
        """Return the limits of the address as a known source, over all accounts. Unknown sources do not fill them."""
        rate = self._limits.per_address
        limits = address_limits(self._keys, "known login", rate and rate.times(_KNOWN_ADDRESS_FACTOR), login.source.ip)
        return tuple(replace(limit, name=KNOWN_ADDRESS) for limit in limits)

    def _account_keys(self, login: LoginRequest, user: User | None) -> _AccountKeys:
        """Return the keys of the user's buckets. They do not depend on the name; a new password has new buckets.

        A name without a user shares one of a bounded number of failure buckets. Its other buckets never have a row.
        """
        network = login.network or ""
        if user is None:
            # No bucket of a user has this prefix, so that a name is never taken for a `sub`.
            kind, owner, password = "unknown ", login.name, ""
            account = self._keys.shared_key("unknown name", login.name, of=_UNKNOWN_NAME_BUCKETS)
        else:
            kind, owner, password = "", user.sub, str(user.password_version)
            account = self._keys.key("account", owner, password)
        return _AccountKeys(
            account,
            known_source=self._keys.key(f"{kind}known source", owner, password, network),
            all_known=self._keys.key(f"{kind}known sources", owner, password),
            session=self._keys.key(f"{kind}session", owner, password),
            successes=self._keys.key(f"{kind}successes", owner),
            source=self._keys.key(f"{kind}source", owner, network),
        )

    def _cache_key(self, login: LoginRequest) -> bytes:
        return self._keys.key("session name" if login.session else "name", login.name, login.network or "")
