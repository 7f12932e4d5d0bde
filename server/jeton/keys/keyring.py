"""The signing keys in memory: opened once, and replaced together when the stored keys change."""

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog

from jeton.crypto.algorithms import ALGORITHMS
from jeton.crypto.key_stores import KeyStoreError, KeyStores
from jeton.crypto.master_key import MasterKeyError
from jeton.crypto.signed_jwt import ACCESS_TOKEN, ID_TOKEN, Signer, Verifier
from jeton.frozen import Frozen
from jeton.rules.key_lifecycle import ACCESS_TOKENS, STALE_SECONDS, KeyState, KeyTimings, SigningKey, is_effective
from jeton.rules.key_series import active_keys, max_age
from jeton.storage.clock import Clock
from jeton.storage.database import StorageUnavailableError
from jeton.storage.task_thread import TaskThread

log = structlog.get_logger("jeton.keyring")


class KeySet(Frozen, eq=False):
    """The published JWK Set (RFC 7517 section 5), ready to send. Another one for each change of the keys."""

    document: bytes
    etag: str


@dataclass(slots=True)
class _ActiveKey:
    """A signer, and from when every server publishes its key; 0 once that was so."""

    signer: Signer
    effective_at: int

    def is_effective(self, now: int) -> bool:
        """Return whether every server publishes the key. Once true, it stays true when the clock steps back."""
        if is_effective(self.effective_at, now):
            self.effective_at = 0
        return self.effective_at == 0


class Keyring:
    """The keys that this process signs and verifies with, and publishes.

    `verifier` verifies access tokens, `id_token_verifier` ID tokens.
    """

    def __init__(self, stores: KeyStores, timings: KeyTimings, clock: Clock) -> None:
        self._stores = stores
        self._timings = timings
        self._clock = clock
        self._keys: tuple[SigningKey, ...] = ()
        self._read_at = 0.0
        self._active: _ActiveKey
        self._for_id_tokens: dict[str, _ActiveKey] = {}
        self._store_errors: dict[str, KeyStoreError] = {}
        self._external_signatures = TaskThread("signing")
        self.verifier: Verifier
        self.id_token_verifier: Verifier
        self.key_set: KeySet

    @property
    def signer(self) -> Signer:
        """Return the signer of access tokens, for a request that ends within seconds.

        Raise StorageUnavailableError if this process does not know whether the key may still sign, or may sign yet;
        KeyStoreError if an external key store failed at its last use.
        """
        return self._signer(self._active)

    def id_token_signer(self, algorithm: str) -> Signer:
        """Return the signer of ID tokens and logout tokens with this algorithm, for a request that ends within seconds.

        Raise StorageUnavailableError also while there is none: its key is not published for long enough yet.
        """
        active = self._for_id_tokens.get(algorithm)
        if active is None:
            raise StorageUnavailableError(f"there is no key yet that signs ID tokens with {algorithm}")
        return self._signer(active)

    @property
    def id_token_algorithms(self) -> tuple[str, ...]:
        """Return the algorithms of ID tokens that there are signers for."""
        return tuple(it for it in ALGORITHMS if it in self._for_id_tokens)

    @property
    def can_sign(self) -> bool:
        """Return whether there is a key that may sign access tokens now and can be reached."""
        try:
            return self.signer is not None
        except (KeyStoreError, StorageUnavailableError):
            return False

    async def sign(self, signer: Signer, claims: Mapping[str, Any], typ: str = ACCESS_TOKEN) -> str:
        """Return the signed JWT. A key in an external store signs in a thread; raise KeyStoreError if that fails."""
        if not signer.is_external:
            return signer.sign(claims, typ)
        # What the thread logs has the identifier of this request.
        return await self._external_signatures(partial(copy_context().run, self._sign_externally, signer, claims, typ))

    def check_external_keys(self) -> None:
        """Make a test signature with external keys, so that a failure is known before a token is redeemed."""
        for active in {id(it): it for it in (self._active, *self._for_id_tokens.values())}.values():
            if active.signer.is_external:
                with suppress(KeyStoreError):
                    self._sign_externally(active.signer, {}, "probe")

    def close(self) -> None:
        """Finish pending signatures, with a short timeout."""
        self._external_signatures.close()

    def update(self, stored: Sequence[SigningKey], read_at: float) -> None:
        """Replace the keys by the stored ones, which were read at `read_at` by the monotonic clock.

        Raise MasterKeyError or KeyStoreError if an active key cannot be opened.
        """
        now = self._clock.now()
        keys = tuple(key for key in stored if key.is_published(now))
        if keys != self._keys:
            self._replace(keys)
        for active in (self._active, *self._for_id_tokens.values()):
            active.is_effective(now)
        self._read_at = read_at

    def max_age(self, now: int) -> int:
        """Return for how many seconds the key set may be cached."""
        return max_age(self._keys, now, self._timings, int(self.seconds_since_read))

    def _signer(self, active: _ActiveKey) -> Signer:
        if self._store_errors and active.signer.kid in self._store_errors:
            raise self._store_errors[active.signer.kid]
        is_known = self.seconds_since_read <= STALE_SECONDS and self._clock.is_certain
        if not is_known or not active.is_effective(self._clock.now()):
            raise StorageUnavailableError("there is no key to sign with at the moment")
        return active.signer

    def _sign_externally(self, signer: Signer, claims: Mapping[str, Any], typ: str) -> str:
        try:
            signed = signer.sign(claims, typ)
        except KeyStoreError as error:
            if signer.kid not in self._store_errors:
                log.error("signing_key_unavailable", kid=signer.kid, detail=str(error))
            self._store_errors[signer.kid] = error
            raise
        self._store_errors.pop(signer.kid, None)
        return signed

    @property
    def seconds_since_read(self) -> float:
        """Return the seconds since the stored keys were last read."""
        return time.monotonic() - self._read_at

    def _replace(self, keys: tuple[SigningKey, ...]) -> None:
        active = {
            series: _ActiveKey(Signer(self._stores.open(key)), key.activated_at or 0)
            for series, key in active_keys(keys).items()
        }
        following = [key for key in keys if key.state is KeyState.NEXT]
        self._open_ahead(following)
        public: list[tuple[str, dict[str, Any]]] = [(key.series, json.loads(key.public_jwk)) for key in keys]
        # The verifiers first: a key must be known before a token is signed with it.
        self.verifier = Verifier(jwk for series, jwk in public if series == ACCESS_TOKENS)
        self.id_token_verifier = Verifier((jwk for _, jwk in public), ID_TOKEN)
        self.key_set = _key_set([jwk for _, jwk in public])
        self._active = active.pop(ACCESS_TOKENS)
        self._for_id_tokens = {**active, self._active.signer.algorithm: self._active}
        self._keys = keys
        open_kids = {key.kid for key in (*following, *active_keys(keys).values())}
        self._store_errors = {kid: error for kid, error in self._store_errors.items() if kid in open_kids}
        self._stores.close_all_except(open_kids)

    def _open_ahead(self, following: Sequence[SigningKey]) -> None:
        """Open the next keys, so that a wrong master key or a missing HSM is logged before a rotation needs them."""
        for key in following:
            try:
                self._stores.open(key)
            except (MasterKeyError, KeyStoreError) as error:
                log.error("next_signing_key_cannot_be_opened", kid=key.kid, detail=str(error))


def _key_set(public: list[dict[str, Any]]) -> KeySet:
    document = json.dumps({"keys": public}, separators=(",", ":")).encode()
    return KeySet(document, f'"{hashlib.sha256(document).hexdigest()[:32]}"')
