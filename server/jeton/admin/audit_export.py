"""Audit records as JSON: their own members, or events of the Open Cybersecurity Schema Framework (OCSF)."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from jeton.oauth.audit_events import AuditRecord

_OCSF_VERSION: Final = "1.4.0"
_PRODUCT: Final = {"name": "Jeton", "vendor_name": "Jeton"}
_CATEGORY: Final = 3  # Identity & Access Management
_OTHER: Final = 99
_ACCOUNT_CHANGE, _AUTHENTICATION, _ENTITY_MANAGEMENT = 3001, 3002, 3004

# Class and activity of OCSF, by event. Events that are not here are entity management, with another activity.
_ACTIVITIES: Final[Mapping[str, tuple[int, int]]] = {
    "signed_in": (_AUTHENTICATION, 1),
    "sign_in_failed": (_AUTHENTICATION, 1),
    "signed_out": (_AUTHENTICATION, 2),
    "session_ended": (_AUTHENTICATION, 2),
    "code_issued": (_AUTHENTICATION, 3),
    "code_redeemed": (_AUTHENTICATION, 4),
    "code_redemption_repeated": (_AUTHENTICATION, 4),
    "code_replayed": (_AUTHENTICATION, 4),
    "token_issued": (_AUTHENTICATION, 4),
    "token_refreshed": (_AUTHENTICATION, 5),
    "token_retried": (_AUTHENTICATION, 5),
    "token_reused": (_AUTHENTICATION, 5),
    "session_moved": (_AUTHENTICATION, 5),
    "token_revoked": (_AUTHENTICATION, _OTHER),
    "limit_reached": (_AUTHENTICATION, _OTHER),
    "request_refused": (_AUTHENTICATION, _OTHER),
    "request_failed": (_AUTHENTICATION, _OTHER),
    "user_added": (_ACCOUNT_CHANGE, 1),
    "user_enabled": (_ACCOUNT_CHANGE, 2),
    "password_changed": (_ACCOUNT_CHANGE, 3),
    "user_disabled": (_ACCOUNT_CHANGE, 5),
    "user_deleted": (_ACCOUNT_CHANGE, 6),
    "user_changed": (_ACCOUNT_CHANGE, _OTHER),
    "profile_changed": (_ACCOUNT_CHANGE, _OTHER),
    "consent_given": (_ENTITY_MANAGEMENT, 1),
    "consent_withdrawn": (_ENTITY_MANAGEMENT, 4),
    "client_added": (_ENTITY_MANAGEMENT, 1),
    "client_changed": (_ENTITY_MANAGEMENT, 3),
    "client_secret_rotated": (_ENTITY_MANAGEMENT, 3),
    "client_deleted": (_ENTITY_MANAGEMENT, 4),
    "client_enabled": (_ENTITY_MANAGEMENT, 8),
    "client_disabled": (_ENTITY_MANAGEMENT, 9),
    "resource_added": (_ENTITY_MANAGEMENT, 1),
    "resource_changed": (_ENTITY_MANAGEMENT, 3),
    "resource_deleted": (_ENTITY_MANAGEMENT, 4),
    "signing_key_changed": (_ENTITY_MANAGEMENT, 3),
    "signing_key_deleted": (_ENTITY_MANAGEMENT, 4),
    "signing_keys_rewrapped": (_ENTITY_MANAGEMENT, 3),
    "registration_token_created": (_ENTITY_MANAGEMENT, 1),
    "registration_token_revoked": (_ENTITY_MANAGEMENT, 4),
}
# Where a field goes, as a path of OCSF: in every class, and in one.
_PATHS: Final[Mapping[str, str]] = {
    "event": "metadata.event_code",
    "request_id": "metadata.correlation_uid",
    "reason": "status_detail",
    "actor": "actor.app_name",
    "address": "src_endpoint.ip",
    "user_agent": "http_request.user_agent",
}
_PATHS_OF_CLASS: Final[Mapping[int, Mapping[str, str]]] = {
    _AUTHENTICATION: {"sub": "user.uid", "client_id": "service.uid", "sid": "session.uid"},
    _ACCOUNT_CHANGE: {"sub": "user.uid", "client_id": "actor.app_uid", "sid": "actor.session.uid"},
    # If there is a target, it is the entity, and not the client.
    _ENTITY_MANAGEMENT: {
        "sub": "actor.user.uid",
        "sid": "actor.session.uid",
        "client_id": "entity.uid",
        "target": "entity.uid",
    },
}
# What a class requires, for records that do not have it: the user was deleted, or there was none.
_REQUIRED: Final[Mapping[int, Mapping[str, Mapping[str, str]]]] = {
    _AUTHENTICATION: {"user": {"name": "Unknown"}, "service": {"name": "Jeton"}},
    _ACCOUNT_CHANGE: {"user": {"name": "Unknown"}},
    _ENTITY_MANAGEMENT: {"entity": {"name": "Jeton"}},
}


def describe(record: AuditRecord) -> dict[str, Any]:
    """Return the record as JSON members; `time` is in the format of RFC 3339."""
    names = ("event", "outcome", "reason", "actor", "sub", "client_id", "sid", "target", "address", "user_agent")
    time = datetime.fromtimestamp(record.created_at, UTC).isoformat().replace("+00:00", "Z")
    return {"time": time, **{it: getattr(record, it) for it in (*names, "request_id", "chain", "seq")}}


def describe_for_ocsf(record: AuditRecord) -> dict[str, Any]:
    """Return the record as an event of OCSF."""
    class_uid, activity = _ACTIVITIES.get(record.event, (_ENTITY_MANAGEMENT, _OTHER))
    described: dict[str, Any] = {
        "category_uid": _CATEGORY,
        "class_uid": class_uid,
        "activity_id": activity,
        "type_uid": class_uid * 100 + activity,
        "time": record.created_at * 1000,
        "severity_id": 1 if record.outcome == "success" else 3,
        "status_id": 1 if record.outcome == "success" else 2,
        "metadata": {"version": _OCSF_VERSION, "product": _PRODUCT, "uid": f"{record.chain}/{record.seq}"},
    }
    for name, path in {**_PATHS, **_PATHS_OF_CLASS[class_uid]}.items():
        if (value := getattr(record, name)) is not None:
            *parents, last = path.split(".")
            place = described
            for it in parents:
                place = place.setdefault(it, {})
            place[last] = value
    return {**_REQUIRED[class_uid], **described}
