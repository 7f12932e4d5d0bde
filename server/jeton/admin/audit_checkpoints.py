"""Checkpoints of the audit trail, and deletion of what is older than it is kept (ADR 0037)."""

import hashlib
from typing import Any, Final

from sqlalchemy import Connection

from jeton.crypto.audit_chain import CHAIN_SECONDS
from jeton.crypto.audit_checkpoint import CheckpointKeys
from jeton.frozen import Frozen
from jeton.storage.audit_checkpoints import (
    Checkpoint,
    delete_checkpoints,
    insert_checkpoint,
    load_checkpoint_before,
    load_newest_checkpoint,
)
from jeton.storage.audit_records import delete_chains, load_heads

CHECKPOINT_SECONDS: Final = 3600
# No transaction takes so long from its events to its commit.
_MARGIN_SECONDS: Final = 3600


class AuditRetention(Frozen):
    """Makes checkpoints, and deletes what is older than `seconds`."""

    keys: CheckpointKeys
    seconds: int

    def make_checkpoint(self, connection: Connection, now: int) -> None:
        """Make the next checkpoint if the newest is an hour old."""
        newest = load_newest_checkpoint(connection)
        if newest is None or now - newest.created_at >= CHECKPOINT_SECONDS:
            insert_checkpoint(connection, _next(connection, self.keys, newest, now, now - self.seconds))

    def delete_expired(self, connection: Connection, now: int, limit: int) -> int:
        """Delete at most `limit` records and as many checkpoints. Return how many were deleted."""
        newest = load_newest_checkpoint(connection)
        content = None if newest is None else self.keys.open(newest.signed)
        if content is None:
            return 0
        # Not what has expired since: that it may be missing is written down by the next checkpoint only.
        expired = load_checkpoint_before(connection, now - self.seconds, content["deletes_through"])
        if expired is None:
            return 0
        records = delete_chains(connection, expired.created_at - CHAIN_SECONDS - _MARGIN_SECONDS, limit)
        # Verification begins with the checkpoint that the newest one names: it needs none before.
        return records + delete_checkpoints(connection, expired.number, limit)


def checkpoint_digest(checkpoint: Checkpoint | None) -> str:
    """Return what the next checkpoint says of this one."""
    return "" if checkpoint is None else hashlib.sha256(checkpoint.signed.encode()).hexdigest()


def _next(
    connection: Connection, keys: CheckpointKeys, newest: Checkpoint | None, now: int, expired_at: int
) -> Checkpoint:
    """Return the next checkpoint: how far the chains have come since the last one.

    Records of checkpoints up to `deletes_through` may be deleted: all that these cover was recorded before
    `expired_at`. So may the checkpoints before that one.
    """
    made_at = 0 if newest is None else newest.created_at
    heads = load_heads(connection, made_at - CHAIN_SECONDS - _MARGIN_SECONDS, made_at - _MARGIN_SECONDS)
    expired = load_checkpoint_before(connection, expired_at)
    content: dict[str, Any] = {
        "number": 1 if newest is None else newest.number + 1,
        "created_at": now,
        "previous": checkpoint_digest(newest),
        "deletes_through": 0 if expired is None else expired.number,
        "heads": {it.chain: [it.seq, it.mac.hex()] for it in heads},
    }
    return Checkpoint(content["number"], now, keys.sign(content))
