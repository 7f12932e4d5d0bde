"""Verification of the audit trail: a changed, missing, inserted or reordered record is found (ADR 0037)."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import InitVar, dataclass, field
from typing import Any

from sqlalchemy import Connection

from jeton.admin.audit_checkpoints import checkpoint_digest
from jeton.crypto.audit_chain import AuditKeys, ChainVerifier
from jeton.crypto.audit_checkpoint import CheckpointKeys
from jeton.crypto.master_key import MasterKeys
from jeton.storage.audit_checkpoints import Checkpoint, load_checkpoints, load_newest_checkpoint
from jeton.storage.audit_records import load_by_chain


@dataclass(slots=True)
class AuditVerification:
    """Verifies the trail of one database. `exported` are checkpoints that were kept elsewhere.

    `problems` says what was found, in sentences; `erased` counts the records whose person was removed.
    """

    connection: Connection
    master_keys: InitVar[MasterKeys]
    exported: Sequence[str] = ()
    records: int = 0
    chains: int = 0
    erased: int = 0
    checkpoints: int = 0
    problems: list[str] = field(default_factory=list)
    _verifier: ChainVerifier = field(init=False)
    _checkpoint_keys: CheckpointKeys = field(init=False)

    def __post_init__(self, master_keys: MasterKeys) -> None:
        self._verifier = ChainVerifier(AuditKeys(master_keys))
        self._checkpoint_keys = CheckpointKeys(master_keys)

    def run(self) -> Iterator[None]:
        """Verify everything. Yield after each record."""
        contents = self._verified_checkpoints()
        # Whether a record is missing is known only at the end, because records are deleted during verification.
        expected = {(chain, seq): (it, mac) for it in contents for chain, (seq, mac) in it["heads"].items()}
        chain = None
        for record in load_by_chain(self.connection):
            self.records += 1
            self.chains += record.chain != chain
            self.erased += record.salt is None
            chain = record.chain
            if problem := self._verifier.problem(record):
                self.problems.append(f"chain {chain}: {problem}")
            checkpoint, mac = expected.pop((record.chain, record.seq), (None, ""))
            if checkpoint is not None and mac != record.mac.hex():
                self.problems.append(
                    f"chain {chain}: record {record.seq} is not that of checkpoint {checkpoint['number']}"
                )
            yield
        newest = load_newest_checkpoint(self.connection)
        if newest is not None and (content := self._checkpoint_keys.open(newest.signed)):
            contents.append(content)
        deletable = _deletes_through(contents)
        self.problems += [
            f"chain {chain}: record {seq}, which checkpoint {it['number']} names, is missing"
            for (chain, seq), (it, _) in expected.items()
            if it["number"] > deletable
        ]

    def _verified_checkpoints(self) -> list[dict[str, Any]]:
        """Return the contents of all genuine checkpoints, of the database and of those given."""
        stored = load_checkpoints(self.connection)
        self.checkpoints = len(stored)
        opened = [(it, self._checkpoint_keys.open(it.signed)) for it in stored]
        known = {it.signed for it in stored}
        exported = [self._checkpoint_keys.open(it) for it in self.exported if it not in known]
        contents = [it for it in (*(content for _, content in opened), *exported) if it is not None]
        deletable, before = _deletes_through(contents), None
        for checkpoint, content in opened:
            if content is None:
                self.problems.append(f"checkpoint {checkpoint.number} is not genuine, or needs another master key")
            else:
                self._compare(checkpoint, content, before, deletable)
            before = checkpoint
        for content in exported:
            if content is None:
                self.problems.append("a checkpoint of the file is not genuine, or needs another master key")
            elif content["number"] >= deletable:
                self.problems.append(f"checkpoint {content['number']} of the file is missing in the database")
        return contents

    def _compare(
        self, checkpoint: Checkpoint, content: dict[str, Any], before: Checkpoint | None, deletable: int
    ) -> None:
        """Note a problem unless the checkpoint is in its place. The first ones may be missing if they are deletable."""
        is_first = before is None and 1 < checkpoint.number <= deletable
        number = 1 if before is None else before.number + 1
        follows = checkpoint.number == number and content["previous"] == checkpoint_digest(before)
        if not (is_first or follows):
            self.problems.append(f"checkpoint {number} is missing, or was changed")
        if (content["number"], content["created_at"]) != (checkpoint.number, checkpoint.created_at):
            self.problems.append(f"checkpoint {checkpoint.number} does not belong here")


def _deletes_through(contents: Iterable[dict[str, Any]]) -> int:
    """Return up to which checkpoint records may be missing; checkpoints may be up to the one before."""
    return max((it["deletes_through"] for it in contents), default=0)
