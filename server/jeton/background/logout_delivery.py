"""Delivery of logout tokens to clients (OpenID Connect Back-Channel Logout 1.0 section 2.5), beside all requests."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Final

import structlog

from jeton.background.repeated_work import failures_logged, repeat
from jeton.crypto.credentials import generate_jti
from jeton.crypto.id_token_hashes import derive_session_id
from jeton.crypto.key_stores import KeyStoreError
from jeton.crypto.signed_jwt import LOGOUT_TOKEN
from jeton.endpoints.clients.outbound_clients import OutboundClients
from jeton.frozen import Frozen, replace
from jeton.keys.keyring import Keyring
from jeton.oauth.backchannel_logout import (
    CLIENT_DISABLED,
    CLIENT_UNKNOWN,
    DELIVERED_SECONDS,
    NO_SIGNING_KEY,
    STATES,
    BackchannelLogout,
    Outcome,
    logout_token_claims,
    outcome,
    retry_at,
)
from jeton.oauth.clients import ADMINISTRATOR, Client
from jeton.observability.metrics import LOGOUT_ATTEMPTS
from jeton.outbound.messages import OutboundError
from jeton.storage.clients import load_clients
from jeton.storage.clock import Clock
from jeton.storage.database import Database, StorageUnavailableError
from jeton.storage.logout_outbox import has_due_logouts, lock_due_logouts, record_attempt, record_outcome
from jeton.storage.task_thread import TaskThread

_POLL_SECONDS: Final = 1
# Deliveries at once in this process: together, to one client, so that a slow one leaves room for the others, and to all
# that no administrator registered: one user may have any number of these.
MAX_CONCURRENT: Final = 32
MAX_PER_CLIENT: Final = 2
MAX_TO_UNREGISTERED: Final = 16
_MAX_READ: Final = 100
_FAILURE: Final = "logout_delivery_failed"

log = structlog.get_logger("jeton.logout_delivery")


class _Delivery(Frozen):
    logout: BackchannelLogout
    client: Client | None

    @property
    def is_to_unregistered(self) -> bool:
        """Whether no administrator registered the client."""
        return self.client is not None and self.client.registration != ADMINISTRATOR


class LogoutDelivery:
    """Sends what is due in the logout outbox.

    An attempt is recorded, with the time of the next one, before it is made: no other process makes the same attempt,
    and if this process ends before that, another makes the next.
    """

    def __init__(
        self,
        issuer: str,
        database: Database,
        clock: Clock,
        keyring: Keyring,
        outbound: OutboundClients,
    ) -> None:
        self._issuer = issuer
        self._database = database
        self._clock = clock
        self._keyring = keyring
        self._outbound = outbound
        for state in STATES:
            LOGOUT_ATTEMPTS.labels(state)  # begins at 0, so that the first one is an increase
        self._under_way: dict[asyncio.Task[None], _Delivery] = {}
        self._thread = TaskThread("logout delivery")

    async def run(self) -> None:
        """Send what is due, every second, until cancelled."""
        try:
            await repeat(_POLL_SECONDS, self.start_due, log, _FAILURE)
        finally:
            for task in self._under_way:
                task.cancel()

    async def start_due(self) -> None:
        """Start to deliver what is due, within the limits. Raise StorageUnavailableError if it cannot be read."""
        while self._keyring.can_sign and len(self._under_way) < MAX_CONCURRENT:
            # Counted here: the thread must not read what this loop changes concurrently.
            under_way = tuple(self._under_way.values())
            started = await self._thread(lambda: self._claim(under_way))  # noqa: B023 - it is awaited
            if not started:
                break
            for delivery in started:
                task = asyncio.create_task(self._deliver(delivery))
                self._under_way[task] = delivery
                task.add_done_callback(self._under_way.pop)

    async def wait(self) -> None:
        """Wait for the deliveries that are under way."""
        await asyncio.gather(*self._under_way, return_exceptions=True)

    def close(self) -> None:
        self._thread.close()

    def _claim(self, under_way: Sequence[_Delivery]) -> list[_Delivery]:
        """Return what is to be delivered now beside what is under way, with its attempt recorded."""
        now = self._clock.now()
        with self._database.read() as connection:
            if not has_due_logouts(connection, now):
                return []
        by_client = Counter(it.logout.client_id for it in under_way)
        to_unregistered = sum(it.is_to_unregistered for it in under_way)
        busy = [it for it, number in by_client.items() if number >= MAX_PER_CLIENT]
        with self._database.write() as connection:
            is_full = to_unregistered >= MAX_TO_UNREGISTERED
            due = lock_due_logouts(connection, now, busy, _MAX_READ, only_registered=is_full)
            clients = load_clients(connection, {it.client_id for it in due})
            claimed: list[_Delivery] = []
            for logout in due:
                attempts = logout.attempts + 1
                begun = replace(logout, attempts=attempts, next_attempt_at=retry_at(attempts, now))
                delivery = _Delivery(begun, clients.get(logout.client_id))
                is_full = delivery.is_to_unregistered and to_unregistered >= MAX_TO_UNREGISTERED
                if by_client.total() < MAX_CONCURRENT and by_client[logout.client_id] < MAX_PER_CLIENT and not is_full:
                    by_client[logout.client_id] += 1
                    to_unregistered += delivery.is_to_unregistered
                    record_attempt(connection, begun)
                    claimed.append(delivery)
        return claimed

    async def _deliver(self, delivery: _Delivery) -> None:
        """Make one attempt, and store what came of it."""
        with failures_logged(log, _FAILURE):
            status = await self._send(delivery.logout, delivery.client)
            ended = _with_outcome(delivery.logout, status, self._clock.now())
            log.info(
                "logout_token_attempt",
                state=ended.state,
                client_id=ended.client_id,
                browser_session_id=ended.browser_session_id,
                status=status,
                attempts=ended.attempts,
            )
            LOGOUT_ATTEMPTS.labels(ended.state).inc()
            await self._thread(lambda: self._record(ended))

    def _record(self, logout: BackchannelLogout) -> None:
        with self._database.write() as connection:
            record_outcome(connection, logout)

    async def _send(self, logout: BackchannelLogout, client: Client | None) -> str:
        """Return the HTTP status of the response, or the fixed word for why there is none."""
        if client is None or client.backchannel_logout_uri is None:
            return CLIENT_UNKNOWN
        if client.disabled:
            return CLIENT_DISABLED
        try:
            signer = self._keyring.id_token_signer(client.id_token_alg)
            claims = logout_token_claims(
                logout,
                issuer=self._issuer,
                sid=derive_session_id(logout.browser_session_id, logout.client_id),
                jti=generate_jti(),
                now=self._clock.now(),
            )
            token = await self._keyring.sign(signer, claims, LOGOUT_TOKEN)
        except (KeyStoreError, StorageUnavailableError):
            return NO_SIGNING_KEY
        try:
            response = await self._outbound.of(client).post_form(client.backchannel_logout_uri, {"logout_token": token})
        except OutboundError as error:
            return error.reason
        return str(response.status)


def _with_outcome(logout: BackchannelLogout, status: str, now: int) -> BackchannelLogout:
    match outcome(status, logout.attempts):
        case Outcome.RETRY:
            return replace(logout, last_status=status)
        case Outcome.FAILED:
            return replace(logout, last_status=status, next_attempt_at=None)
        case Outcome.DELIVERED:
            expires_at = now + DELIVERED_SECONDS
            return replace(logout, last_status=status, next_attempt_at=None, delivered_at=now, expires_at=expires_at)
