"""Chains of audit records: every modification of a record is detected, and other records stay valid."""

from collections.abc import Callable
from typing import Any

import pytest

from jeton.crypto.audit_chain import CHAIN_SECONDS, AuditChain, AuditKeys, ChainVerifier
from jeton.crypto.audit_checkpoint import CheckpointKeys
from jeton.crypto.master_key import generate_master_key, parse_master_keys
from jeton.oauth.audit_events import AuditEvent, AuditRecord
from jeton.observability.origin import Origin
from support.builders import NOW

OLD, NEW = generate_master_key(), generate_master_key()
KEYS = AuditKeys(parse_master_keys(OLD))
ORIGIN = Origin("request", "192.0.2.1", "agent", "administrator")
Records = list[AuditRecord]


def chain(keys: AuditKeys = KEYS) -> Records:
    made = AuditChain(keys)
    event = AuditEvent("signed_in", "logged_in", "user", "u_1", "web", "session", "target")
    return [*made.extend([(event, ORIGIN), (event, ORIGIN)], NOW), *made.extend([(event, ORIGIN)] * 3, NOW + 1)]


def problems(records: Records, keys: AuditKeys = KEYS) -> list[str]:
    verifier = ChainVerifier(keys)
    return [problem for it in records if (problem := verifier.problem(it))]


def changed(**fields: Any) -> Callable[[Records], Records]:
    return lambda records: [*records[:2], records[2]._replace(**fields), *records[3:]]


def wrong(*numbers: int) -> list[str]:
    return [f"record {it} was changed, or does not belong here" for it in numbers]


WRONG_PERSON = ["record 3 was changed: user, address or user agent"]


@pytest.mark.requirement("AU03")
@pytest.mark.parametrize(
    ("tamper", "found"),
    [
        pytest.param(lambda records: records, [], id="nothing"),
        *(
            pytest.param(changed(**{name: value}), wrong(3), id=name)
            for name, value in {
                "created_at": NOW + 2,
                "event": "signed_out",
                "outcome": "failure",
                "reason": "other",
                "actor": "client",
                "client_id": None,
                "sid": "other",
                "request_id": "other",
                "target": None,
                "personal_digest": bytes(32),
            }.items()
        ),
        *(pytest.param(changed(**{it: "other"}), WRONG_PERSON, id=it) for it in ("sub", "address", "user_agent")),
        pytest.param(changed(salt=bytes(16)), WRONG_PERSON, id="salt"),
        pytest.param(changed(salt=None), WRONG_PERSON, id="salt alone erased"),
        pytest.param(changed(salt=None, sub=None, address=None, user_agent=None), [], id="person erased"),
        pytest.param(changed(mac=bytes(32)), wrong(3, 4), id="mac"),
        pytest.param(lambda records: [*records[:2], *records[3:]], ["record 3 is missing"], id="one deleted"),
        pytest.param(lambda records: records[3:], ["records 1 to 3 are missing"], id="beginning deleted"),
        pytest.param(
            lambda records: [records[0], records[2]._replace(seq=2), records[1]._replace(seq=3), *records[3:]],
            wrong(2, 3, 4),
            id="two swapped",
        ),
        pytest.param(lambda records: [*records, records[-1]._replace(seq=6)], wrong(6), id="one inserted"),
        pytest.param(
            lambda it: [*it, chain()[0]._replace(chain=it[0].chain, seq=6)], wrong(6), id="one of another chain"
        ),
    ],
)
def test_tampering_with_a_record_is_found(tamper: Callable[[Records], Records], found: list[str]) -> None:
    assert problems(tamper(chain())) == found


def test_records_verify_as_long_as_their_master_key_is_configured() -> None:
    records = chain()
    assert problems(records, AuditKeys(parse_master_keys(f"{NEW} {OLD}"))) == []
    found = problems(records, AuditKeys(parse_master_keys(NEW)))
    assert len(found) == 5
    assert "is not configured" in found[0]


def test_chains_end_after_a_day() -> None:
    made = AuditChain(KEYS)
    assert not made.ends_at(NOW)
    made.extend([(AuditEvent("signed_in", ""), ORIGIN)], NOW)
    assert [made.ends_at(NOW + it) for it in (0, CHAIN_SECONDS - 1, CHAIN_SECONDS, -1)] == [False, False, True, True]


@pytest.mark.parametrize("tampered", [lambda it: it[:-4] + "AAAA", lambda it: it.replace(".", "", 1), lambda _: "x"])
def test_checkpoints_are_opened_only_if_they_are_genuine(tampered: Callable[[str], str]) -> None:
    content = {"number": 1, "heads": {"chain": [1, "00"]}}
    keys, others = CheckpointKeys(parse_master_keys(OLD)), CheckpointKeys(parse_master_keys(NEW))
    signed = keys.sign(content)
    assert keys.open(signed) == content
    assert others.open(signed) is None
    assert keys.open(tampered(signed)) is None
