"""Password login. All refusals have the same answer, the same timing and the same number of SQL statements."""

import asyncio
import time
from collections import Counter
from typing import Final

import structlog

from jeton.crypto.hashing_pool import HashingBusyError, HashingPool
from jeton.crypto.passwords import Passwords, Verified
from jeton.frozen import Frozen
from jeton.login.address_limits import ADDRESS
from jeton.login.concurrency import LoginConcurrency
from jeton.login.login_rate_limits import LoginRateLimits, LoginRequest
from jeton.login.uniform_timing import UniformTiming
from jeton.oauth.audit_events import USER, AuditEvent
from jeton.oauth.decisions import Deny
from jeton.oauth.errors import ErrorCode, OAuthError, rate_limited
from jeton.oauth.sessions import Source
from jeton.oauth.users import User
from jeton.observability.metrics import LOGINS
from jeton.rules.attempts import RateLimited, Reservation
from jeton.rules.login_identifiers import login_key
from jeton.storage.audit_backlog import AuditBacklog
from jeton.storage.clock import Clock
from jeton.storage.lookups import Lookups

# If pending attempts block this one, it is retried at this interval and given up after this time.
_WAIT_SECONDS: Final = 3
_RETRY_SECONDS: Final = 0.1
_MAX_WAITING: Final = 256
_MAX_WAITING_PER_NETWORK: Final = 16
# No user has this canonical name. Looking it up costs the same as looking up any other.
_NO_NAME: Final = ""

log = structlog.get_logger("jeton.login")


class Authenticated(Frozen):
    """A user whose password has just been verified."""

    user: User
    verified: Verified


class PasswordLogin:
    """Authenticates users by password."""

    def __init__(
        self,
        lookups: Lookups,
        limits: LoginRateLimits,
        passwords: Passwords,
        hashing: HashingPool,
        timing: UniformTiming,
        clock: Clock,
        backlog: AuditBacklog,
    ) -> None:
        self._lookups = lookups
        self.limits = limits
        self._passwords = passwords
        self._hashing = hashing
        self._clock = clock
        self._backlog = backlog
        self._concurrency = LoginConcurrency()
        self._sleep = asyncio.sleep
        self._waiting: Counter[str | None] = Counter()
        self.timing = timing

    async def authenticate(
        self, name: str, password: str, client_id: str, source: Source, *, session: bool = False
    ) -> Authenticated | Deny:
        """Verify the password of the user with this name or e-mail address.

        `session` says that the user has a live session and confirms the password. Raise OAuthError if a limit by
        address or of successful logins is reached; HashingBusyError if too many passwords are being verified.
        """
        # Keyboards and copied text add white space at the ends, and no name has any. A password is taken as it is.
        name = name.strip()
        key = login_key(name)
        login = LoginRequest(key or name, client_id, source, session)
        try:
            authenticated = await self._authenticate(login, key, password)
        except OAuthError as error:
            self._backlog.add(_event("limit_reached", error.reason, client_id), login.network)
            raise
        if isinstance(authenticated, Deny) and authenticated.sub is not None:
            event = _event("sign_in_failed", authenticated.reason, client_id, authenticated.sub)
            self._backlog.add(event, authenticated.sub)
        return authenticated

    async def _authenticate(self, login: LoginRequest, key: str | None, password: str) -> Authenticated | Deny:
        self._hashing.check_capacity(login.name, login.network)
        async with self._concurrency.acquire((login.name, login.network)):
            began, user = time.monotonic(), None
            outcome: Reservation | RateLimited | None = self.limits.recent_refusal(login)
            if outcome is None:
                user = await self._lookups.user(key or _NO_NAME)
                outcome = await self._reserve(login, user)
            if outcome.delay:
                await self._sleep(outcome.delay)
                began += outcome.delay
            if isinstance(outcome, RateLimited):
                await self.timing.delay(began)
                return self._refuse(outcome, user)
            return await self._check(login, user, password, outcome, began)

    async def _reserve(self, login: LoginRequest, user: User | None) -> Reservation | RateLimited:
        """Count the attempt under its limits. While pending attempts block it, wait for their outcome.

        Raise HashingBusyError if that takes too long: the attempt itself has done nothing wrong.
        """
        deadline = time.monotonic() + _WAIT_SECONDS
        while True:
            outcome = await self.limits.reserve(login, user)
            if isinstance(outcome, Reservation) or not outcome.pending:
                return outcome
            if time.monotonic() >= deadline or not self._has_room_to_wait(login.network):
                raise HashingBusyError
            self._waiting[login.network] += 1
            try:
                await asyncio.sleep(_RETRY_SECONDS)
            finally:
                self._waiting.subtract([login.network])
                if self._waiting[login.network] == 0:
                    del self._waiting[login.network]

    def _has_room_to_wait(self, network: str | None) -> bool:
        return self._waiting[network] < _MAX_WAITING_PER_NETWORK and self._waiting.total() < _MAX_WAITING

    async def _check(
        self, login: LoginRequest, user: User | None, password: str, reservation: Reservation, began: float
    ) -> Authenticated | Deny:
        verified = await self._verify(login, user, password, reservation)
        if user is not None and verified.unusable:
            log.error("stored_password_hash_unusable", sub=user.sub, reason=verified.unusable)
        if user is not None and verified.ok:
            if (refusal := await self.limits.succeed(reservation)) is not None:
                raise self._rate_limited(refusal)
            LOGINS.labels("password_right").inc()
            return Authenticated(user, verified)
        denied = _denied(user)
        LOGINS.labels(denied.reason).inc()
        await self.limits.fail(reservation)
        if verified.ordinary:
            self.timing.record(began)
        else:
            await self.timing.delay(began)
        if reservation.if_wrong is not None:
            raise self._rate_limited(reservation.if_wrong)
        return denied

    async def _verify(
        self, login: LoginRequest, user: User | None, password: str, reservation: Reservation
    ) -> Verified:
        """Verify the password. If there is no user, or a disabled one, compute a hash of the same cost."""
        password_hash = None if user is None or user.disabled else user.password_hash
        try:
            return await self._hashing.run(
                lambda: self._passwords.verify(password_hash, password), login.name, login.network
            )
        except HashingBusyError:
            await self.limits.release(reservation)
            raise

    def _refuse(self, refusal: RateLimited, user: User | None) -> Deny:
        """Refuse with the answer to a wrong password: any other would reveal which accounts exist."""
        visible = refusal if refusal.limit == ADDRESS else refusal.if_wrong
        if visible is not None:
            raise self._rate_limited(visible)
        return Deny(ErrorCode.INVALID_GRANT, f"login_throttled_by_{refusal.limit}", sub=user.sub if user else None)

    def _rate_limited(self, refusal: RateLimited) -> OAuthError:
        return rate_limited(f"login_throttled_by_{refusal.limit}", refusal.opens_at - self._clock.now())


def _event(event: str, reason: str, client_id: str, sub: str | None = None) -> AuditEvent:
    return AuditEvent(event, reason, USER, sub, client_id or None, succeeded=False)


def _denied(user: User | None) -> Deny:
    if user is None:
        return Deny(ErrorCode.INVALID_GRANT, "user_unknown")
    return Deny(
        ErrorCode.INVALID_GRANT, "user_disabled_or_changed" if user.disabled else "password_wrong", sub=user.sub
    )
