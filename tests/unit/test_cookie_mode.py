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


ALLOWED = [
    # Older browsers send no Fetch Metadata.
    *(Initiator("1", APP, it) for it in ("same-site", "same-origin", None)),
    Initiator("1", None, "same-origin"),
]
REFUSED = [
    *(Initiator(it, APP, "same-site") for it in (None, "", "2")),
    *(Initiator("1", None, it) for it in (None, "none", "same-site", "cross-site")),
    *(Initiator("1", "null", "same-origin"), Initiator("1", "https://evil.example", "same-site")),
    *(Initiator("1", it, None) for it in ("https://app.example.evil.example", "http://app.example", APP + ":8443")),
    Initiator("1", APP, "cross-site"),
]


@pytest.mark.requirement("BB13", "BB14")
def test_only_a_page_of_the_client_may_use_its_cookie() -> None:
    assert [it for it in ALLOWED + REFUSED if initiator_rejection_reason(it, {APP}) is None] == ALLOWED


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


SAME_SITE = [
    ("https://id.example", "https://app.id.example"),
    ("https://id.shop.example", "https://app.shop.example:8443"),
    ("https://id.shop.example", "https://shop.example"),
    *((f"http://{it}:8000", f"http://{it}:5173") for it in ("127.0.0.1", "localhost", "[::1]")),
]
OTHER_SITES = [
    ("https://id.example", "https://app.example"),
    *(("https://id.shop.example", it) for it in ("https://app.other.example", "http://app.shop.example")),
    ("https://intranet", "https://apps"),
    ("http://127.0.0.1:8000", "http://localhost:5173"),
    ("https://10.0.0.1", "https://192.0.0.1"),
]


def test_origins_of_another_site_are_found() -> None:
    def found(issuer: str, origin: str) -> list[str]:
        return cross_site_origins(client(public=True, origins=frozenset({origin}), refresh_cookie=True), issuer)

    assert {it: found(*it) for it in SAME_SITE} == {it: [] for it in SAME_SITE}
    assert {it: found(*it) for it in OTHER_SITES} == {it: [it[1]] for it in OTHER_SITES}


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
        (False, {}, {"client": client(grant_types=frozenset({"password"}))}),
    ],
)
def test_session_of_the_cookie_is_live(is_signed_in: bool, session: dict[str, Any], others: dict[str, Any]) -> None:
    presented: dict[str, Any] = {"user": user(), "client": client(), "genuine": True} | others
    stored = family(**{"generation": 3} | session)

    assert has_live_session(stored, generation=3, now=NOW, **presented) is is_signed_in
