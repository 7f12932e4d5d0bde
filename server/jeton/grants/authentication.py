"""Checking a user's password: held back, through the gate, and all refusals alike in answer and in time."""

import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Final

import structlog

from jeton.crypto.passwords import HashingBusyError, Verified
from jeton.grants.guard import ACCOUNT, KNOWN_SOURCE
from jeton.grants.services import Services
from jeton.oauth.decision import Deny
from jeton.oauth.errors import ErrorCode
from jeton.oauth.model import Client, Source, User
from jeton.oauth.network import network_prefix
from jeton.oauth.throttling import Refusal, Reserved
from jeton.storage.database import StorageUnavailableError
from jeton.storage.gather import GatheringBusyError

# Who is refused by these is not told: it would tell which accounts there are, and when to come again.
_UNTOLD: Final = frozenset({ACCOUNT, KNOWN_SOURCE})

log = structlog.get_logger("jeton.login")


@dataclass(frozen=True, slots=True)
class Authenticated:
    """A user whose password was right a moment ago; `succeeded` must hear of it once that has come to something."""

    user: User
    verified: Verified
    reserved: Reserved


@asynccontextmanager
async def authenticate_user(
    name: str, key: str | None, password: str, client: Client, source: Source, services: Services
) -> AsyncIterator[Authenticated | Deny]:
    """Reserve a place, check, and keep the place unless the password is right.

    For the block: until it ends, and has said that it `succeeded`, few others with that name and from there are let in.
    `key` is the canonical form of `name`, if it has one. Raises ThrottledError where the address or the client is held
    back, and HashingBusyError where the gate is full, whoever is asked for.
    """
    services.hashing.check_room()
    async with AsyncExitStack() as turn:
        await turn.enter_async_context(services.turns.take((key or name, network_prefix(source.ip))))
        began, user = time.monotonic(), None
        outcome: Reserved | Refusal | None = services.guard.remembered_login(key or name, source)
        if outcome is None:
            user = None if key is None else await services.records.user(key)
            outcome = await services.guard.reserve_login(user, key or name, client, source)
            if isinstance(outcome, Refusal):
                _log_refusal(outcome, user, client, source)
        if isinstance(outcome, Refusal):
            await turn.aclose()
            yield await _refused(outcome, user, began, services)
            return
        verified = await _verify(user, password, outcome, services)
        services.pace.note(began)
        yield _judged(user, verified, outcome)


async def _refused(refusal: Refusal, user: User | None, began: float, services: Services) -> Deny:
    if refusal.by not in _UNTOLD:
        raise services.guard.throttled("login_throttled", refusal)
    await services.pace.keep(began)
    return Deny(ErrorCode.INVALID_GRANT, f"login_throttled_by_{refusal.by}", sub=user.sub if user else None)


def _judged(user: User | None, verified: Verified, reserved: Reserved) -> Authenticated | Deny:
    if user is None:
        return Deny(ErrorCode.INVALID_GRANT, "user_unknown")
    if verified.unusable:
        log.error("stored_password_hash_unusable", sub=user.sub, reason=verified.unusable)
    if not verified.ok:
        return Deny(ErrorCode.INVALID_GRANT, "password_wrong", sub=user.sub)
    if user.disabled:
        # Here, and once more under the user's lock: the way there would take longer than a wrong password does.
        return Deny(ErrorCode.INVALID_GRANT, "user_disabled_or_changed", sub=user.sub)
    return Authenticated(user, verified, reserved)


async def succeeded(authenticated: Authenticated, services: Services) -> None:
    """Opens the account again and makes its source known. A login stands, though that cannot be written."""
    try:
        await services.guard.login_succeeded(authenticated.reserved)
    except (StorageUnavailableError, GatheringBusyError) as error:
        log.error("success_not_counted", sub=authenticated.user.sub, reason=type(error).__name__, detail=str(error))


async def _verify(user: User | None, password: str, reserved: Reserved, services: Services) -> Verified:
    # An unknown user costs the same hash as a known one, and gets the same answer.
    password_hash = user.password_hash if user else None
    try:
        return await services.hashing.run(lambda: services.passwords.verify(password_hash, password))
    except HashingBusyError:
        await services.guard.login_not_tried(reserved)
        raise


def _log_refusal(refusal: Refusal, user: User | None, client: Client, source: Source) -> None:
    """Not for each that is refused from memory; and never a name that nobody bears."""
    sub = user.sub if user else None
    log.warning(
        "login_throttled", by=refusal.by, until=refusal.opens_at, sub=sub, client_id=client.client_id, ip=source.ip
    )
