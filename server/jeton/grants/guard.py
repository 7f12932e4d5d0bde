"""Who is held back: which buckets each kind of attempt needs a place in. The law is `oauth.throttling` (ADR 0010)."""

from dataclasses import dataclass
from typing import Final

import structlog

from jeton.crypto.throttle_keys import ThrottleKeys
from jeton.oauth.errors import ThrottledError
from jeton.oauth.model import Client, Source, User
from jeton.oauth.network import network_prefix
from jeton.oauth.throttling import Attempt, Bucket, Claim, Law, Patience, Rate, Refusal, Reserved, Shut
from jeton.storage.clock import Clock
from jeton.storage.throttle import Throttle

ADDRESS: Final = "address"
CLIENT: Final = "client"
ACCOUNT: Final = "account"
KNOWN_SOURCE: Final = "known_source"

_ADDRESS_BUCKETS: Final = 2**18
_UNKNOWN_NAME_BUCKETS: Final = 4096
_MOST_COUNTED_CLIENTS: Final = 65_536

log = structlog.get_logger("jeton.guard")


@dataclass(frozen=True, slots=True)
class Limits:
    """What is allowed of each kind; None: as much as anybody likes. `known_seconds` 0: no source is ever known."""

    login_per_address: Rate | None = None
    login_per_client: Rate | None = None
    login_per_account: Patience | None = None
    login_from_known_source: Patience | None = None
    known_seconds: int = 0
    secret_per_address: Rate | None = None
    secret_per_client: Rate | None = None
    token_per_address: Rate | None = None
    requests_per_client: Rate | None = None


class Guard:
    """Counts attempts by where they come from and whom they are aimed at."""

    def __init__(self, throttle: Throttle, keys: ThrottleKeys, limits: Limits, clock: Clock) -> None:
        self._throttle = throttle
        self._keys = keys
        self._limits = limits
        self._clock = clock
        self._requests: dict[tuple[str, str | None], Bucket] = {}

    async def reserve_login(self, user: User | None, name: str, client: Client, source: Source) -> Reserved | Refusal:
        """A place for one check of a password of `user`, or, where there is none, of whoever is called `name`."""
        attempt = self._login(user, name, client, network_prefix(source.ip))
        # A source that may be known must be looked up; for all others a shut bucket is reason enough.
        refusal = None if attempt.known else self._throttle.remembered(*(claim.key for claim in attempt.shared))
        outcome = refusal or await self._throttle.reserve(attempt)
        if isinstance(outcome, Refusal):
            self._throttle.remember(self._name_key(name, source), outcome)
        return outcome

    def remembered_login(self, name: str, source: Source) -> Refusal | None:
        """The refusal that this name met from this source a moment ago, if so."""
        return self._throttle.remembered(self._name_key(name, source))

    async def login_succeeded(self, reserved: Reserved) -> None:
        await self._throttle.succeed(reserved)

    async def login_not_tried(self, reserved: Reserved) -> None:
        await self._throttle.give_back(reserved)

    async def count_wrong_secret(self, client: Client | None, source: Source) -> None:
        """One wrong client secret; ThrottledError where there were too many."""
        claims = (
            self._address_claim("secret", self._limits.secret_per_address, network_prefix(source.ip)),
            None if client is None else self._client_claim("secret", self._limits.secret_per_client, client),
        )
        await self._count("client_secret_throttled", claims, source)

    async def count_unknown_token(self, source: Source) -> None:
        """One refresh token of our form that nobody issued; ThrottledError where there were too many."""
        claim = self._address_claim("token", self._limits.token_per_address, network_prefix(source.ip))
        await self._count("unknown_token_throttled", (claim,), source)

    def count_request(self, client: Client, source: Source) -> None:
        """One request of this client to the token endpoint; ThrottledError where there were too many.

        Anybody may use a public client's name: its requests count by where they come from as well.
        """
        law = self._limits.requests_per_client
        if law is None:
            return
        key = (client.client_id, network_prefix(source.ip) if client.public else None)
        now = self._clock.now()
        after = law.reserve(self._requests.get(key, Bucket()), now)
        if isinstance(after, Shut):
            raise ThrottledError("requests_throttled_by_client", after.opens_at - now)
        if len(self._requests) >= _MOST_COUNTED_CLIENTS:
            self._requests = {key: bucket for key, bucket in self._requests.items() if bucket.expires_at > now}
        self._requests[key] = after

    def throttled(self, event: str, refusal: Refusal) -> ThrottledError:
        """What a caller hears who may know that it is held back."""
        return ThrottledError(f"{event}_by_{refusal.by}", refusal.opens_at - self._clock.now())

    def _login(self, user: User | None, name: str, client: Client, prefix: str | None) -> Attempt:
        limits = self._limits
        shared = (
            self._address_claim("login", limits.login_per_address, prefix),
            self._client_claim("login", limits.login_per_client, client),
        )
        account = known = None
        if limits.login_per_account is not None:
            account = Claim(ACCOUNT, self._account_key(user, name), limits.login_per_account)
        if user and prefix and limits.known_seconds and limits.login_from_known_source is not None:
            known = Claim(KNOWN_SOURCE, self._keys.key("source", user.sub, prefix), limits.login_from_known_source)
        return Attempt(tuple(claim for claim in shared if claim), account, known, limits.known_seconds)

    def _account_key(self, user: User | None, name: str) -> bytes:
        """Whatever name the user is called by. A new password is a new account to guess at."""
        if user is None:
            return self._keys.shared_key("unknown name", name, of=_UNKNOWN_NAME_BUCKETS)
        return self._keys.key("account", user.sub, str(user.password_version))

    def _name_key(self, name: str, source: Source) -> bytes:
        return self._keys.key("name", name, network_prefix(source.ip) or "")

    def _address_claim(self, kind: str, law: Law | None, prefix: str | None) -> Claim | None:
        if law is None or prefix is None:
            return None
        return Claim(ADDRESS, self._keys.shared_key(f"{kind} address", prefix, of=_ADDRESS_BUCKETS), law)

    def _client_claim(self, kind: str, law: Law | None, client: Client) -> Claim | None:
        return None if law is None else Claim(CLIENT, self._keys.key(f"{kind} client", client.client_id), law)

    async def _count(self, event: str, claims: tuple[Claim | None, ...], source: Source) -> None:
        attempt = Attempt(tuple(claim for claim in claims if claim is not None))
        refusal = self._throttle.remembered(*(claim.key for claim in attempt.shared))
        if refusal is None:
            outcome = await self._throttle.reserve(attempt)
            if isinstance(outcome, Reserved):
                return
            refusal = outcome
            log.warning(event, by=refusal.by, ip=source.ip)
        raise self.throttled(event, refusal)
