"""Dynamic registration: which metadata are the same client, what the answer says, and when a use is recorded."""

from typing import Any, Final

import pytest

from jeton.oauth.client_use import use_to_record
from jeton.oauth.clients import Client
from jeton.oauth.registration.client_metadata import ClientMetadata, parse_client_metadata
from jeton.oauth.registration.dynamic_registration import canonical_metadata, client_information, registered
from jeton.oauth.registration_ceiling import RegistrationCeiling
from jeton.oauth.writes import RecordClientUse
from support.builders import NOW, client

WEB: Final = "https://app.example/callback"
DAY: Final = 86400
BASE: Final[dict[str, Any]] = {
    "redirect_uris": [WEB, "http://127.0.0.1/callback"],
    "grant_types": ["authorization_code", "refresh_token"],
    "scope": "read write",
    "client_name": "Photos",
}


def parsed(**members: Any) -> ClientMetadata:
    return parse_client_metadata({**BASE, **members}, ("none", "client_secret_basic"), "client_secret_basic")


@pytest.mark.requirement("DR12")
@pytest.mark.parametrize(
    ("members", "same"),
    [
        pytest.param({}, True, id="the same"),
        pytest.param({"redirect_uris": BASE["redirect_uris"][::-1]}, True, id="redirect URIs in another order"),
        pytest.param({"redirect_uris": [WEB, "http://127.0.0.1:5000/callback"]}, True, id="another free port"),
        pytest.param({"scope": "write read", "grant_types": BASE["grant_types"][::-1]}, True, id="other orders"),
        pytest.param({"software_version": "2", "logo_uri": WEB}, True, id="members that are not registered"),
        pytest.param({"redirect_uris": [WEB, "http://localhost/callback"]}, False, id="another loopback host"),
        pytest.param({"redirect_uris": [WEB + "/", "http://127.0.0.1/callback"]}, False, id="another redirect URI"),
        pytest.param({"client_name": "Photo"}, False, id="name"),
        pytest.param({"scope": "read"}, False, id="scope"),
        pytest.param({"scope": None}, False, id="no scope"),
        pytest.param({"client_uri": "https://app.example"}, False, id="link"),
        pytest.param({"dpop_bound_access_tokens": True}, False, id="stricter"),
    ],
)
def test_metadata_that_mean_the_same_are_the_same_client(members: dict[str, Any], same: bool) -> None:
    assert (canonical_metadata(parsed(**members)) == canonical_metadata(parsed())) is same


def test_ports_of_web_apps_are_compared() -> None:
    apps = [parsed(application_type="web", redirect_uris=[f"http://127.0.0.1:{it}/callback"]) for it in (5000, 5001)]

    assert canonical_metadata(apps[0]) != canonical_metadata(apps[1])


@pytest.mark.requirement("DR13", "RI06")
def test_scope_is_within_the_ceiling_and_all_of_it_if_none_is_given() -> None:
    new, ceiling = Client("dcr_1", True, NOW, registration="dynamic"), RegistrationCeiling(frozenset({"read", "share"}))

    found = [registered(new, parsed(scope=it), ceiling).scope for it in (None, "read pay", "pay")]
    assert found == [{"read", "share"}, {"read"}, set()]


@pytest.mark.requirement("DR03")
def test_answer_has_everything_that_is_registered_and_nothing_else() -> None:
    keys = {"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "A" * 43}]}
    registered = client(
        "dcr_1",
        registration="dynamic",
        auth_methods=frozenset({"private_key_jwt"}),
        jwks=keys,
        grant_types=frozenset({"refresh_token", "authorization_code"}),
        redirect_uris=frozenset({WEB}),
        post_logout_redirect_uris=frozenset({WEB}),
        backchannel_logout_uri=WEB,
        backchannel_logout_session_required=True,
        links={"policy_uri": "https://app.example/policy"},
        name="Photos",
        secret_digest=b"digest",
        registration_token_digest=b"digest",
    )

    assert client_information(registered) == {
        "client_id": "dcr_1",
        "client_id_issued_at": NOW,
        "redirect_uris": [WEB],
        "token_endpoint_auth_method": "private_key_jwt",
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "application_type": "web",
        "scope": "read write",
        "id_token_signed_response_alg": "RS256",
        "require_pushed_authorization_requests": False,
        "dpop_bound_access_tokens": False,
        "client_name": "Photos",
        "post_logout_redirect_uris": [WEB],
        "backchannel_logout_uri": WEB,
        "backchannel_logout_session_required": True,
        "jwks": keys,
        "policy_uri": "https://app.example/policy",
    }


@pytest.mark.requirement("DR12")
def test_use_is_recorded_at_first_and_once_a_day() -> None:
    """It is not recorded of clients that are never deleted, nor after the clock was put back."""
    recorded = [(NOW, 0), (NOW + 1, DAY + 1)]
    others = [(None, 365 * DAY), (NOW + 1, DAY), (NOW + 1, -DAY)]
    for last_used_at, after in recorded + others:
        writes = use_to_record(client("dcr_1", last_used_at=last_used_at), NOW + after)
        assert writes == ((RecordClientUse("dcr_1", NOW + after),) if (last_used_at, after) in recorded else ())
