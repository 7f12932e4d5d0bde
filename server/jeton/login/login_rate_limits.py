"""Login rate limits: which limits a check of a password falls under (ADR 0010, ADR 0018)."""

from dataclasses import dataclass, replace
from typing import Final

import structlog

from jeton.crypto.rate_limit_keys import RateLimitKeys
from jeton.login.address_limits import address_limits
from jeton.oauth.clients import Client
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

# All failures of an account in a row, over all known sources.
_ALL_KNOWN: Final = BackoffPolicy(MAX_FAILURES, 0, 0, limit=MAX_FAILURES)
_KNOWN_ADDRESS_FACTOR: Final = 10
_UNKNOWN_NAME_BUCKETS: Final = 4096

log = structlog.get_logger("jeton.login")


@dataclass(frozen=True, slots=True)
class LoginLimits:
    """What is allowed; None is no limit. With `known_seconds` 0 no source is ever known."""

    per_address: Rate | None = None
    per_client: Rate | None = None
    per_account: BackoffPolicy | None = None
    per_known_source: BackoffPolicy | None = None
    successes_per_account: Rate | None = None
    known_seconds: int = 0


@dataclass(frozen=True, slots=True)
class LoginRequest:
    """Who asks for a login, and by which name: canonical, if it has such a form.

    `session` says that the user holds a live session and confirms the password.
    """

    name: str
    client: Client
    source: Source
    session: bool = False

    @property
    def network(self) -> str | None:
        return network_prefix(self.source.ip)


@dataclass(frozen=True, slots=True)
class _AccountKeys:
    """The buckets of one account. The bucket `source` exists if the network is known to the account."""

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
    """Counts password checks by network, client and account."""

    def __init__(self, throttle: RateLimiter, keys: RateLimitKeys, limits: LoginLimits) -> None:
        self._throttle = throttle
        self._keys = keys
        self._limits = limits

    def remembered(self, login: LoginRequest) -> RateLimited | None:
        """Return the refusal that the same login met a moment ago, if any. Asks no database."""
        return self._throttle.remembered(self._memory_key(login))

    async def reserve(self, login: LoginRequest, user: User | None) -> Reservation | RateLimited:
        """Return the places of one check of the user's password, or the limit that refuses it.

        For a name without a user the same buckets are asked for, so that both cost the same.
        """
        outcome = await self._throttle.reserve(self._attempt(login, user))
        if isinstance(outcome, RateLimited) and not outcome.pending:
            self._throttle.remember(self._memory_key(login), outcome)
            log.warning(
                "login_throttled",
                by=outcome.limit,
                until=outcome.opens_at,
                # Never a name that is no user's.
                sub=user.sub if user else None,
                client_id=login.client.client_id,
                ip=login.source.ip,
            )
        return outcome

    async def succeed(self, reservation: Reservation) -> RateLimited | None:
        return await self._throttle.succeed(reservation)

    async def fail(self, reservation: Reservation) -> None:
        await self._throttle.fail(reservation)

    async def release(self, reservation: Reservation) -> None:
        await self._throttle.release(reservation)

    def _attempt(self, login: LoginRequest, user: User | None) -> Attempt:
        """Return the limits of the login, whether it comes from a live session, a known source or anywhere else."""
        limits, keys = self._limits, self._account_keys(login, user)
        addresses = address_limits(self._keys, "login", limits.per_address, login.source.ip)
        client = self._client_limits(login.client)
        rate = limits.successes_per_account
        successes = None if rate is None else Limit(SUCCESSES, keys.successes, rate)
        attempt = Attempt((*addresses, *client), successes=successes)
        if limits.per_account is None or limits.per_known_source is None:
            return attempt
        attempt = replace(attempt, reset=keys.of_failures)
        if login.network is not None and limits.known_seconds:
            attempt = replace(attempt, source=keys.source, known_seconds=limits.known_seconds)
        # From a live session or a known source the right password works although the address has no place left.
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

    def _client_limits(self, client: Client) -> tuple[Limit, ...]:
        """Return the limit that slows logins through the client down: it must not shut the client for everybody."""
        rate = self._limits.per_client
        key = self._keys.key("login client", client.client_id)
        return () if rate is None else (Limit(CLIENT, key, rate, WhenFull.DELAY),)

    def _known_address_limits(self, login: LoginRequest) -> tuple[Limit, ...]:
        """Return the limits for guesses at all accounts that know the address: strangers behind it do not fill them."""
        rate = self._limits.per_address
        limits = address_limits(self._keys, "known login", rate and rate.times(_KNOWN_ADDRESS_FACTOR), login.source.ip)
        return tuple(replace(limit, name=KNOWN_ADDRESS) for limit in limits)

    def _account_keys(self, login: LoginRequest, user: User | None) -> _AccountKeys:
        """Return the keys of the user's buckets, whatever the user is called. A new password begins with empty ones.

        For a name without a user the bucket of its failures is one of a bounded number. The others never have a row.
        """
        network = login.network or ""
        if user is None:
            # No kind of bucket of a user's begins so: a name is never taken for a `sub`.
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

    def _memory_key(self, login: LoginRequest) -> bytes:
        return self._keys.key("session name" if login.session else "name", login.name, login.network or "")
