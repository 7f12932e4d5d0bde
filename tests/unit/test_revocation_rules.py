"""Ending sessions and tokens: revocation (RFC 7009 section 2) and self-service (ASVS 7.4.3, 7.5.2)."""

import pytest

from jeton.frozen import replace
from jeton.oauth.clients import Client
from jeton.oauth.decisions import MASTER_KEY_MISSING, Deny, End, EndSessions
from jeton.oauth.errors import ErrorCode
from jeton.oauth.revocation_rules import revoke_access_token, revoke_family
from jeton.oauth.self_service import change_password, change_profile, end_own_session, end_own_sessions
from jeton.oauth.sessions import Family, RevokedAccessToken
from jeton.oauth.users import User
from jeton.oauth.writes import DeleteBrowserSessionsOf
from support.builders import NOW, client, family, user

OWNER, OTHER = client(), client("other")
FAMILY = family("one")
REVOKED_TOKEN = End("access_token_revoked", token=RevokedAccessToken("id", NOW + 1), owner=("u_1", "web"))
REVOKED = FAMILY.revoked("refresh_token_reused", NOW - 100)
SECOND, ENDED = family("two"), REVOKED._replace(sid="three")
OF_OTHER_CLIENT = Deny(ErrorCode.INVALID_GRANT, "token_of_other_client")
UNKNOWN = End("token_unknown", unknown_token=True)
ALICE = user(password_hash="old hash")


@pytest.mark.requirement("C01", "C03", "C04", "C08")
@pytest.mark.parametrize(
    ("stored", "genuine", "by", "expected"),
    [
        pytest.param(
            FAMILY, True, OWNER,
            End("family_revoked", FAMILY._replace(revoked_at=NOW, revoke_reason="revoked_by_client")), id="owner",
        ),
        pytest.param(REVOKED, True, OWNER, End("family_revoked", REVOKED), id="again: keeps the first time and reason"),
        pytest.param(FAMILY, True, OTHER, OF_OTHER_CLIENT, id="other client"),
        pytest.param(None, False, OWNER, UNKNOWN, id="unknown"),
        pytest.param(None, None, OWNER, UNKNOWN, id="unknown, no master key"),
        pytest.param(FAMILY, False, OWNER, UNKNOWN, id="forged"),
        pytest.param(FAMILY, False, OTHER, UNKNOWN, id="forged, other client"),
        pytest.param(FAMILY, None, OWNER, MASTER_KEY_MISSING, id="master key missing"),
    ],
)  # fmt: skip
def test_only_its_client_revokes_a_family_by_a_genuine_token(
    stored: Family | None, genuine: bool | None, by: Client, expected: End | Deny
) -> None:
    assert revoke_family(stored, by, genuine=genuine, now=NOW) == expected


@pytest.mark.requirement("C01", "C03", "C06", "C08")
def test_only_its_client_revokes_an_access_token_by_jti_until_its_exp() -> None:
    def revoke(expires_at: int, by: Client) -> End | Deny:
        return revoke_access_token({"client_id": "web", "sub": "u_1", "jti": "id", "exp": expires_at}, by, NOW)

    assert revoke(NOW + 1, OWNER) == REVOKED_TOKEN
    assert revoke(NOW, OWNER) == revoke(NOW - 1, OWNER) == End("token_expired")
    assert revoke(NOW + 60, OTHER) == revoke(NOW - 60, OTHER) == OF_OTHER_CLIENT


def test_users_end_only_their_own_sessions() -> None:
    assert end_own_session(FAMILY, "u_1", NOW) == End("session_ended", FAMILY.revoked("ended_by_user", NOW))
    for stored, sub in ((None, "u_1"), (FAMILY, "u_2"), (ENDED, "u_1")):
        assert end_own_session(stored, sub, NOW) == End("session_unknown")


@pytest.mark.parametrize(
    ("keep", "ended"), [(None, [FAMILY, SECOND]), ("one", [SECOND]), ("elsewhere", [FAMILY, SECOND])]
)
def test_all_live_sessions_end_except_the_one_to_keep(keep: str | None, ended: list[Family]) -> None:
    sessions, changed = [FAMILY, SECOND, ENDED], replace(ALICE, password_hash="new hash", password_version=2)
    by_user = tuple(it.revoked("ended_by_user", NOW) for it in ended)
    by_change = tuple(it.revoked("password_changed", NOW) for it in ended)

    assert end_own_sessions(sessions, NOW, keep=keep) == EndSessions("sessions_ended", by_user)
    assert change_password(ALICE, ALICE, sessions, "new hash", NOW, keep=keep) == EndSessions(
        "password_changed", by_change, changed, DeleteBrowserSessionsOf(ALICE.sub, NOW)
    )


def test_new_password_keeps_the_browser_of_the_kept_session_and_ends_codes_even_if_it_keeps_all() -> None:
    kept = SECOND._replace(browser_session_id="browser")
    unredeemed = SECOND._replace(generation=0, code_expires_at=NOW + 60)
    changed = replace(ALICE, password_hash="new hash", password_version=2)

    assert change_password(ALICE, ALICE, [kept], "new hash", NOW, keep="two") == EndSessions(
        "password_changed", (), changed, DeleteBrowserSessionsOf(ALICE.sub, NOW, "browser")
    )
    decision = change_password(ALICE, ALICE, [FAMILY, unredeemed], "new hash", NOW, keep=None, keep_all=True)
    assert decision == EndSessions("password_changed", (unredeemed.revoked("password_changed", NOW),), changed)


def test_password_changes_only_if_the_user_is_as_when_the_old_one_was_verified() -> None:
    def change(stored: User | None) -> EndSessions | Deny:
        return change_password(ALICE, stored, [FAMILY], "new hash", NOW, keep=None)

    assert isinstance(change(replace(ALICE, password_hash="upgraded hash")), EndSessions)
    for stored in (None, replace(ALICE, disabled=True), replace(ALICE, password_version=2)):
        assert change(stored) == Deny(ErrorCode.INVALID_GRANT, "user_disabled_or_changed", sub="u_1")


def test_profile_of_a_disabled_or_deleted_user_is_not_changed() -> None:
    for stored in (None, replace(ALICE, disabled=True)):
        assert change_profile(stored, {"name": "Al"}, NOW) == Deny(ErrorCode.LOGIN_REQUIRED, "user_disabled")
