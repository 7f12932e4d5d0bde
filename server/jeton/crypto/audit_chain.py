"""Chains of audit records: each record is authenticated together with the one before (HMAC-SHA256, ADR 0037)."""

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from typing import Final

import msgspec

from jeton.crypto.master_key import MasterKeys
from jeton.oauth.audit_events import SERVER, AuditEvent, AuditRecord
from jeton.observability.origin import Origin

# A chain ends after this time, so that it can be deleted as a whole when its records are no longer kept.
CHAIN_SECONDS: Final = 86400
_PURPOSE: Final = b"audit trail v1"
_SALT_BYTES: Final = 16
_BEGINNING: Final = bytes(32)
# The fields that the MAC covers as they are: from the first one up to `target`.
_AUTHENTICATED: Final = AuditRecord._fields.index("target") + 1


class AuditKeys:
    """The keys of records: the newest master key makes them, all verify them."""

    def __init__(self, master_keys: MasterKeys) -> None:
        self.newest = master_keys.newest
        self._record_keys = {it: master_keys.derive(it, _PURPOSE) for it in master_keys}

    def __repr__(self) -> str:
        return "AuditKeys()"

    def has(self, master_key_id: str) -> bool:
        """Return whether records under this master key can be verified."""
        return master_key_id in self._record_keys

    def mac(self, master_key_id: str, content: bytes) -> bytes:
        return hmac.digest(self._record_keys[master_key_id], content, "sha256")


class AuditChain:
    """One chain, which one thread extends."""

    def __init__(self, keys: AuditKeys) -> None:
        self._keys = keys
        self._chain = secrets.token_urlsafe(12)
        self._seq = 0
        self._mac = _BEGINNING
        self._began_at: int | None = None

    def ends_at(self, now: int) -> bool:
        """Return whether another chain must be begun."""
        return self._began_at is not None and not 0 <= now - self._began_at < CHAIN_SECONDS

    def extend(self, events: Sequence[tuple[AuditEvent, Origin]], now: int) -> list[AuditRecord]:
        """Return the next records. They must be stored before this is called again."""
        if self._began_at is None:
            self._began_at = now
        salts = secrets.token_bytes(_SALT_BYTES * len(events))
        return [
            self._next(event, origin, now, salts[_SALT_BYTES * place : _SALT_BYTES * (place + 1)])
            for place, (event, origin) in enumerate(events)
        ]

    def _next(self, event: AuditEvent, origin: Origin, now: int, salt: bytes) -> AuditRecord:
        key_id = self._keys.newest
        digest = personal_digest(salt, event.sub, origin.address, origin.user_agent)
        authenticated = (
            self._chain,
            self._seq + 1,
            now,
            event.event,
            "success" if event.succeeded else "failure",
            event.reason,
            event.actor or origin.actor or SERVER,
            event.client_id,
            event.sid,
            origin.request_id,
            event.target,
        )
        mac = self._keys.mac(key_id, _content(self._mac, authenticated, digest))
        self._seq, self._mac = self._seq + 1, mac
        return AuditRecord(*authenticated, key_id, mac, digest, salt, event.sub, origin.address, origin.user_agent)


class ChainVerifier:
    """Verifies records in the order of their chains and numbers."""

    def __init__(self, keys: AuditKeys) -> None:
        self._keys = keys
        self._chain = ""
        self._seq = 0
        self._mac: bytes | None = _BEGINNING

    def problem(self, record: AuditRecord) -> str | None:
        """Return what is wrong with the next record, or None."""
        if record.chain != self._chain:
            self._chain, self._seq, self._mac = record.chain, 0, _BEGINNING
        missing, first = record.seq - self._seq - 1, self._seq + 1
        previous, self._seq, self._mac = self._mac, record.seq, record.mac
        if missing:
            last = record.seq - 1
            return f"record {first} is missing" if missing == 1 else f"records {first} to {last} are missing"
        if not self._keys.has(record.master_key_id):
            return f"record {record.seq} needs master key {record.master_key_id}, which is not configured"
        expected = self._keys.mac(record.master_key_id, _content_of(record, previous or b""))
        if not hmac.compare_digest(expected, record.mac):
            return f"record {record.seq} was changed, or does not belong here"
        return None if _has_own_person(record) else f"record {record.seq} was changed: user, address or user agent"


def personal_digest(salt: bytes, sub: str | None, address: str | None, user_agent: str | None) -> bytes:
    """Return the salted digest of what can be removed with a person."""
    return hashlib.sha256(salt + msgspec.json.encode((sub, address, user_agent))).digest()


def _has_own_person(record: AuditRecord) -> bool:
    """Return whether the personal fields are those that were recorded, or were removed."""
    personal = (record.sub, record.address, record.user_agent)
    if record.salt is None:
        return personal == (None, None, None)
    return hmac.compare_digest(personal_digest(record.salt, *personal), record.personal_digest)


def _content_of(record: AuditRecord, previous: bytes) -> bytes:
    return _content(previous, record[:_AUTHENTICATED], record.personal_digest)


def _content(previous: bytes, authenticated: Sequence[object], digest: bytes) -> bytes:
    return previous + digest + msgspec.json.encode(authenticated)
