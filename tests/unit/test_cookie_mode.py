"""Which requests may use a refresh token in a cookie, which clients may have one, and when browsers send it."""

from typing import Any

import pytest

from jeton.oauth.cookie_mode import (
    Initiator,
    cookie_mode_rejection_reason,
    cross_site_origins,
    has_live_session,
    initiator_rejection_reason,
)
from support.builders import NOW, client, family, user

APP = "https://app.example"


@pytest.mark.requirement("BB13", "BB14")
@pytest.mark.parametrize(
    ("allowed", "header", "origin", "site"),
    [
        (True, "1", APP, "same-site"),
        (True, "1", APP, "same-origin"),
        # Older browsers send no Fetch Metadata.
        (True, "1", APP, None),
        (True, "1", None, "same-origin"),
        (False, None, APP, "same-site"),
        (False, "", APP, "same-site"),
        (False, "2", APP, "same-site"),
        (False, "1", None, None),
        (False, "1", None, "none"),
        (False, "1", None, "same-site"),
        (False, "1", None, "cross-site"),
        (False, "1", "null", "same-origin"),
        (False, "1", "https://evil.example", "same-site"),
        (False, "1", "https://app.example.evil.example", None),
        (False, "1", "http://app.example", None),
        (False, "1", APP + ":8443", None),
        (False, "1", APP, "cross-site"),
    ],
)
def test_only_a_page_of_the_client_may_use_its_cookie(
    allowed: bool, header: str | None, origin: str | None, site: str | None
) -> None:
    reason = initiator_rejection_reason(Initiator(header, origin, site), {APP})

    assert (reason is None) is allowed


@pytest.mark.requirement("BB16")
@pytest.mark.parametrize(
    ("reason", "fields"),
    [
        (None, {}),
        (None, {"refresh_cookie": False, "public": False}),
        ("--public", {"public": False}),
        ("--origin", {"origins": frozenset()}),
        ("--grant refresh_token", {"grant_types": frozenset({"password"})}),
        ("https origins", {"origins": frozenset({APP, "capacitor://localhost"})}),
    ],
)
def test_cookie_mode_is_for_public_clients_with_web_origins(reason: str | None, fields: dict[str, Any]) -> None:
    page: dict[str, Any] = {"public": True, "origins": frozenset({APP}), "refresh_cookie": True}

    found = cookie_mode_rejection_reason(client(**page | fields))

    assert found is None if reason is None else reason in (found or "")


@pytest.mark.parametrize(
    ("issuer", "origin", "is_same_site"),
    [
        ("https://id.example", "https://app.id.example", True),
        ("https://id.shop.example", "https://app.shop.example:8443", True),
        ("https://id.shop.example", "https://shop.example", True),
        ("https://id.example", "https://app.example", False),
        ("https://id.shop.example", "https://app.other.example", False),
        ("https://id.shop.example", "http://app.shop.example", False),
        ("https://intranet", "https://apps", False),
        ("http://127.0.0.1:8000", "http://127.0.0.1:5173", True),
        ("http://127.0.0.1:8000", "http://localhost:5173", False),
        ("http://localhost:8000", "http://localhost:5173", True),
        ("http://[::1]:8000", "http://[::1]:5173", True),
        ("https://10.0.0.1", "https://192.0.0.1", False),
    ],
)
def test_origins_of_another_site_are_found(issuer: str, origin: str, is_same_site: bool) -> None:
    page = client(public=True, origins=frozenset({origin}), refresh_cookie=True)

    assert cross_site_origins(page, issuer) == ([] if is_same_site else [origin])


@pytest.mark.parametrize(
    ("is_signed_in", "session", "others"),
    [
        (True, {}, {}),
        # The response to the refresh that ended generation 3 may be lost, and can be requested again for five minutes.
        (True, {"generation": 4, "rotated_at": NOW - 300}, {}),
        (False, {"generation": 4, "rotated_at": NOW - 301}, {}),
        (False, {"generation": 5}, {}),
        (False, {"generation": 2}, {}),
        (False, {"idle_expires_at": NOW}, {}),
        (False, {"revoked_at": NOW}, {}),
        (False, {"client_id": "other"}, {}),
        (False, {}, {"user": user(disabled=True)}),
        (False, {}, {"genuine": False}),
        (False, {}, {"genuine": None}),
    ],
)
def test_session_of_the_cookie_is_live(is_signed_in: bool, session: dict[str, Any], others: dict[str, Any]) -> None:
    presented: dict[str, Any] = {"user": user(), "genuine": True} | others
    stored = family(**{"generation": 3} | session)

    assert has_live_session(stored, client=client(), generation=3, now=NOW, **presented) is is_signed_in
