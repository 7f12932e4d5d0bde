"""Revocation rules (RFC 7009 section 2)."""

from typing import Any

import pytest

from jeton.oauth.clients import Client
from jeton.oauth.decisions import MASTER_KEY_MISSING, Deny, End
from jeton.oauth.errors import ErrorCode
from jeton.oauth.revocation_rules import revoke_access_token, revoke_family
from jeton.oauth.sessions import Family, RevokedAccessToken

NOW = 1_000_000
OWNER, OTHER = Client("web", False, 0), Client("other", False, 0)
FAMILY = Family(
    sid="session",
    client_id="web",
    sub="u_1",
    scope=frozenset({"read"}),
    audience=("https://api.example",),
    auth_time=NOW - 500,
    amr=("pwd",),
    created_at=NOW - 500,
    rotated_at=NOW,
    idle_expires_at=NOW + 100,
    absolute_expires_at=NOW + 1000,
    master_key_id="0" * 8,
    secret=b"secret",
    generation=3,
)
OF_ANOTHER = Deny(ErrorCode.INVALID_GRANT, "token_of_other_client")
UNKNOWN = End("token_unknown", unknown_token=True)


@pytest.mark.requirement("C01", "C04")
def test_owner_revokes_the_family() -> None:
    end = revoke_family(FAMILY, OWNER, genuine=True, now=NOW)

    assert end == End("family_revoked", family=FAMILY.revoked("revoked_by_client", NOW))
    assert isinstance(end, End)
    assert end.family is not None
    assert end.family.revoked_at == NOW


@pytest.mark.requirement("C03")
def test_other_client_is_refused_and_revokes_nothing() -> None:
    assert revoke_family(FAMILY, OTHER, genuine=True, now=NOW) == OF_ANOTHER


@pytest.mark.requirement("C08")
@pytest.mark.parametrize("client", [OWNER, OTHER], ids=["owner", "other"])
@pytest.mark.parametrize(("family", "genuine"), [(None, False), (FAMILY, False)], ids=["unknown", "forged"])
def test_unknown_or_forged_token_is_no_error_and_revokes_nothing(
    family: Family | None, genuine: bool, client: Client
) -> None:
    assert revoke_family(family, client, genuine=genuine, now=NOW) == UNKNOWN


@pytest.mark.parametrize(("family", "expected"), [(FAMILY, MASTER_KEY_MISSING), (None, UNKNOWN)])
def test_missing_master_key_is_temporarily_unavailable(family: Family | None, expected: End | Deny) -> None:
    assert revoke_family(family, OWNER, genuine=None, now=NOW) == expected


@pytest.mark.requirement("C08")
def test_second_revocation_keeps_the_first_time_and_reason() -> None:
    dead = FAMILY.revoked("refresh_token_reused", NOW - 100)

    assert revoke_family(dead, OWNER, genuine=True, now=NOW) == End("family_revoked", family=dead)


def claims(**changes: Any) -> dict[str, object]:
    return {"client_id": "web", "jti": "id", "exp": NOW + 60} | changes


@pytest.mark.requirement("C01", "C06")
def test_access_token_is_revoked_by_jti_until_its_exp() -> None:
    end = revoke_access_token(claims(), OWNER, NOW)

    assert end == End("access_token_revoked", token=RevokedAccessToken("id", NOW + 60))


@pytest.mark.requirement("C03")
@pytest.mark.parametrize("expires_at", [NOW + 60, NOW - 60], ids=["live", "expired"])
def test_access_token_of_another_client_is_not_revoked(expires_at: int) -> None:
    assert revoke_access_token(claims(exp=expires_at), OTHER, NOW) == OF_ANOTHER


@pytest.mark.requirement("C08")
@pytest.mark.parametrize(("expires_at", "written"), [(NOW + 1, True), (NOW, False), (NOW - 1, False)])
def test_an_expired_access_token_needs_no_record(expires_at: int, written: bool) -> None:
    end = revoke_access_token(claims(exp=expires_at), OWNER, NOW)

    assert isinstance(end, End)
    assert (end.token is not None) is written
