"""Clients by metadata document, and clients that an administrator has added."""

from typing import Any, Final

import pytest

from jeton.frozen import replace
from jeton.oauth.clients import Client
from jeton.oauth.registration.client_metadata import parse_client_metadata
from jeton.oauth.registration.unregistered_clients import (
    client_of_document,
    client_to_store,
    describes_itself,
    is_described_by_document,
    is_vouched_for,
)
from jeton.oauth.registration_ceiling import registration_ceiling
from jeton.oauth.resources import Resource
from jeton.rules.domain_policy import DomainPolicy
from support.builders import NOW, client

URL: Final = "https://app.example/client.json"
CALLBACK: Final = "https://app.example/callback"
API: Final = Resource("https://api.example", "API", frozenset({"read", "write"}), open=True)
CEILING: Final = registration_ceiling(frozenset(), (API,), "https://login.example")
GRANTS: Final = frozenset({"authorization_code", "refresh_token"})
ADDED: Final = client(
    URL, public=True, grant_types=GRANTS, scope=frozenset({"admin"}), resources=("https://other.example",)
)


def described(stored: Client | None = None, **members: Any) -> Client:
    metadata = parse_client_metadata({"redirect_uris": [CALLBACK], **members}, ("none", "private_key_jwt"), "none")
    return client_of_document(URL, metadata, stored, CEILING, NOW)


@pytest.mark.requirement("CI05", "RI06")
def test_document_gives_a_public_client_within_the_ceiling() -> None:
    found = described(client_name="App", scope="read admin openid")
    assert (found.client_id, found.registration, found.public) == (URL, "metadata_document", True)
    assert (found.scope, found.default_scope) == (frozenset({"read", "openid"}), frozenset({"read"}))
    assert (found.redirect_uris, found.resources) == (frozenset({CALLBACK}), (API.uri,))
    assert (found.name, found.first_party) == ("App", False)
    assert described().scope == CEILING.scope


def test_stored_client_keeps_what_is_no_metadata() -> None:
    stored = replace(described(), created_at=1, disabled=True, last_used_at=2, lifetimes={"access_seconds": 5})
    found = described(stored, client_name="Renamed")
    assert found == replace(stored, name="Renamed")


@pytest.mark.requirement("CI10")
def test_client_that_an_administrator_added_has_what_it_was_given() -> None:
    stored = replace(ADDED, name="Known app", first_party=True)
    found = described(stored, client_name="Bank", scope="read", grant_types=["authorization_code"])
    assert found == replace(stored, redirect_uris=frozenset({CALLBACK}))
    assert described(ADDED, client_name="App").name == "App"


REGISTERED: Final = replace(ADDED, redirect_uris=frozenset({CALLBACK}))


@pytest.mark.parametrize("stored", [described(), ADDED, replace(REGISTERED, metadata_digest=b"of its document")])
def test_redirect_uris_come_from_the_document(stored: Client) -> None:
    assert is_described_by_document(stored)
    assert describes_itself(stored)


def test_redirect_uris_do_not_come_from_the_document_if_they_are_registered() -> None:
    dynamic = client("dyn_1", registration="dynamic")
    others = [REGISTERED, replace(ADDED, grant_types=frozenset({"password"})), client("web"), dynamic]

    assert [it for it in others if is_described_by_document(it)] == []
    assert [it for it in others if describes_itself(it)] == [dynamic]


@pytest.mark.requirement("CI11")
def test_everything_that_a_document_says_is_stored_when_it_changes() -> None:
    other = "https://app.example/other"
    said: dict[str, Any] = {
        "client_name": "Renamed",
        "redirect_uris": [other],
        "post_logout_redirect_uris": [other],
        "backchannel_logout_uri": other,
        "backchannel_logout_session_required": True,
        "client_uri": other,
        "application_type": "native",
        "grant_types": ["authorization_code"],
        "token_endpoint_auth_method": "private_key_jwt",
        "jwks_uri": other,
        "id_token_signed_response_alg": "ES256",
        "require_pushed_authorization_requests": True,
        "dpop_bound_access_tokens": True,
        "scope": "read",
    }
    stored = replace(described(grant_types=["authorization_code", "refresh_token"]), created_at=1, last_used_at=2)
    now = replace(described(**said), metadata_digest=b"digest")
    assert client_to_store(stored, now, NOW) == replace(now, created_at=1, last_used_at=2)
    added = client_to_store(replace(ADDED, name="Known"), now, NOW)
    assert added is not None
    assert (added.name, added.scope, added.resources) == ("Known", ADDED.scope, ADDED.resources)
    assert added.redirect_uris == now.redirect_uris


@pytest.mark.requirement("CI15")
def test_row_is_made_at_the_first_consent_for_a_described_client_only() -> None:
    assert client_to_store(None, described(), NOW) == replace(described(), created_at=NOW, last_used_at=NOW)
    assert client_to_store(None, ADDED, NOW) is None  # deleted in between
    assert client_to_store(client("web"), client("web", name="Old"), NOW) == client("web")


@pytest.mark.requirement("CI10", "RR06")
def test_administrators_vouch_for_clients_and_for_domains() -> None:
    hosts = ("app.example", "app.example:8443", "other.example")
    *vouched, other = (client(f"https://{it}/client", registration="metadata_document") for it in hosts)
    vouched += [client("web"), ADDED]
    others = [other, *(client(it, registration="dynamic") for it in ("dyn_1", "https://app.example/"))]

    policy = DomainPolicy(allow=("app.example",))
    assert [it for it in vouched + others if is_vouched_for(it, policy)] == vouched
