"""Audit records as events of OCSF 1.4.0: each has what its class requires, and nothing that it does not know."""

from typing import Any, Final

import pytest

from jeton.admin.audit_export import _ACTIVITIES, describe_for_ocsf
from jeton.oauth.audit_events import AuditRecord

# events/iam of the schema: the names of the activities by number are those of the class.
REQUIRED: Final = {3001: {"user"}, 3002: {"user", "service"}, 3004: {"entity"}}
OPTIONAL: Final = {3001: set[str](), 3002: {"session"}, 3004: set[str]()}
ACTIVITIES: Final = {3001: {*range(1, 13), 99}, 3002: {*range(1, 7), 99}, 3004: {*range(1, 14), 99}}
BASE: Final = {
    *("category_uid", "class_uid", "activity_id", "type_uid", "time", "severity_id", "status_id", "status_detail"),
    *("metadata", "actor"),
}
FULL: Final = {
    "sub": "u_1", "client_id": "app", "sid": "session", "target": "target", "address": "192.0.2.1",
    "user_agent": "agent", "request_id": "request", "salt": b"salt",
}  # fmt: skip


def exported(event: str, **fields: Any) -> dict[str, Any]:
    nothing = dict.fromkeys(FULL)
    return describe_for_ocsf(
        AuditRecord(
            chain="chain",
            seq=7,
            created_at=1_800_000_000,
            event=event,
            outcome="success",
            reason="reason",
            actor="user",
            master_key_id="00c0ffee",
            mac=b"mac",
            personal_digest=b"digest",
            **{**nothing, **fields},
        )
    )


@pytest.mark.requirement("AU04")
@pytest.mark.parametrize("event", [*_ACTIVITIES, "an event of a later version"])
def test_each_event_has_what_its_class_requires_and_nothing_else(event: str) -> None:
    for fields in ({}, FULL):
        line = exported(event, **fields)
        kind = line["class_uid"]
        assert line["activity_id"] in ACTIVITIES[kind]
        assert all(line[name].get("uid") or line[name].get("name") for name in REQUIRED[kind])
        known = BASE | REQUIRED[kind] | OPTIONAL[kind] | {"src_endpoint", "http_request"}
        assert BASE <= line.keys() <= known


@pytest.mark.requirement("AU04")
@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ("token_refreshed", {"user": {"uid": "u_1"}, "service": {"uid": "app"}, "session": {"uid": "session"}}),
        ("password_changed", {"user": {"uid": "u_1"}}),
        ("consent_given", {"entity": {"uid": "app"}}),
        ("client_changed", {"entity": {"uid": "app"}}),
    ],
)
def test_actor_and_target_are_in_their_members(event: str, expected: dict[str, Any]) -> None:
    line = exported(event, **{**FULL, "target": None})
    assert {name: line[name] for name in expected} == expected
    assert line["src_endpoint"] == {"ip": "192.0.2.1"}
    assert line["metadata"]["correlation_uid"] == "request"
    assert exported("resource_changed", **FULL)["entity"] == {"uid": "target"}
