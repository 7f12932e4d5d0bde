"""Client metadata (RFC 7591): what is registered of it, what is left out, and what is refused."""

from dataclasses import replace
from typing import Any, Final

import pytest

from jeton.oauth.client_metadata import ClientMetadata, parse_client_metadata
from jeton.oauth.clients import Client
from jeton.oauth.errors import OAuthError
from support.builders import NOW

WEB: Final = "https://app.example/callback"
LOOPBACK: Final = "http://localhost:3334/callback"
PRIVATE: Final = "com.example.app:/callback"
METHODS: Final = ("client_secret_basic", "client_secret_post", "none", "private_key_jwt")
KEYS: Final[dict[str, Any]] = {"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "A" * 43}]}
BY_KEY: Final[dict[str, Any]] = {"token_endpoint_auth_method": "private_key_jwt"}


def parse(*redirect_uris: str, **members: Any) -> ClientMetadata:
    document = {"redirect_uris": [*(redirect_uris or (WEB,))], **members}
    return parse_client_metadata(document, METHODS, "client_secret_basic")


DEFAULT: Final = ClientMetadata(
    redirect_uris=(WEB,),
    auth_method="client_secret_basic",
    grant_types=frozenset({"authorization_code"}),
    application_type="web",
    scope=None,
    name=None,
    links={},
    post_logout_redirect_uris=(),
    backchannel_logout_uri=None,
    backchannel_logout_session_required=False,
    id_token_alg="RS256",
    jwks=None,
    jwks_uri=None,
    require_par=False,
    require_dpop=False,
)


@pytest.mark.requirement("DR03", "DR04", "DR05", "DR08", "DR10", "DR11", "LO20")
@pytest.mark.parametrize(
    ("members", "registered"),
    [
        pytest.param({}, {}, id="defaults"),
        pytest.param({"token_endpoint_auth_method": "none"}, {"auth_method": "none"}, id="public"),
        pytest.param({"scope": "write read  read"}, {"scope": frozenset({"read", "write"})}, id="scope"),
        pytest.param({"client_name": "Photos é"}, {"name": "Photos é"}, id="name"),
        pytest.param({"client_name": "", "scope": None, "redirect_uris": [WEB, WEB]}, {}, id="empty is left out"),
        pytest.param(
            {"grant_types": ["authorization_code", "refresh_token"], "response_types": ["code"]},
            {"grant_types": frozenset({"authorization_code", "refresh_token"})},
            id="grants",
        ),
        pytest.param(
            {"grant_types": ["password", "client_credentials", "authorization_code", "implicit"],
             "response_types": ["code", "token"]},
            {},
            id="grants that are not given away are left out",
        ),
        pytest.param(
            {"id_token_signed_response_alg": "ES256", "require_pushed_authorization_requests": True,
             "dpop_bound_access_tokens": True, "post_logout_redirect_uris": [WEB]},
            {"id_token_alg": "ES256", "require_par": True, "require_dpop": True, "post_logout_redirect_uris": (WEB,)},
            id="stricter than the server",
        ),
        pytest.param(
            {"backchannel_logout_uri": "https://app.example/out", "backchannel_logout_session_required": True},
            {"backchannel_logout_uri": "https://app.example/out", "backchannel_logout_session_required": True},
            id="back-channel logout",
        ),
        pytest.param({"backchannel_logout_session_required": True}, {}, id="no back-channel logout"),
        pytest.param(
            {"client_uri": "https://app.example", "policy_uri": "https://app.example/p#x", "tos_uri": "https://b.example"},
            {"links": {"client_uri": "https://app.example", "policy_uri": "https://app.example/p#x"}},
            id="links on the host of a redirect URI",
        ),
        pytest.param(
            {"client_uri": "http://app.example/", "policy_uri": "https://app.example@evil.example/",
             "tos_uri": "https://app.example/" + "x" * 600},
            {},
            id="links that are not",
        ),
        pytest.param(
            {"logo_uri": "https://app.example/logo.png", "contacts": ["a@b.example"], "software_statement": "e30.e30.",
             "introspect": True, "first_party": True, "unknown": {}},
            {},
            id="unknown members, and those that nobody gives away",
        ),
        pytest.param(
            {"application_type": "native"}, {"application_type": "native", "auth_method": "none"}, id="native"
        ),
        pytest.param(BY_KEY | {"jwks": KEYS}, {"auth_method": "private_key_jwt", "jwks": KEYS}, id="keys"),
        pytest.param(
            BY_KEY | {"jwks_uri": "https://keys.example/"},
            {"auth_method": "private_key_jwt", "jwks_uri": "https://keys.example/"},
            id="address of keys",
        ),
        pytest.param({"jwks": KEYS, "jwks_uri": "http://10.0.0.1"}, {}, id="keys that are not used"),
    ],
)  # fmt: skip
def test_what_is_registered(members: dict[str, Any], registered: dict[str, Any]) -> None:
    assert parse(**members) == replace(DEFAULT, **registered)


@pytest.mark.requirement("DR07", "DR11", "MC18", "NA03")
@pytest.mark.parametrize(
    ("redirect_uris", "members", "expected"),
    [
        pytest.param([WEB], {}, ("web", "client_secret_basic"), id="web"),
        pytest.param([LOOPBACK], {}, ("native", "none"), id="loopback: a secret would be inside the app"),
        pytest.param([WEB, LOOPBACK], {}, ("native", "none"), id="https and loopback"),
        pytest.param([PRIVATE], {}, ("native", "none"), id="private scheme"),
        pytest.param(
            [LOOPBACK], {"token_endpoint_auth_method": "client_secret_post"}, ("native", "client_secret_post"),
            id="an app that insists on a secret",
        ),
        pytest.param([LOOPBACK], {"application_type": "web"}, ("web", "client_secret_basic"), id="web, in development"),
    ],
)  # fmt: skip
def test_apps_on_the_users_device_are_native_and_public(
    redirect_uris: list[str], members: dict[str, Any], expected: tuple[str, str]
) -> None:
    found = parse(*redirect_uris, **members)

    assert (found.application_type, found.auth_method) == expected
    assert found.redirect_uris == tuple(redirect_uris)


@pytest.mark.requirement("DR04")
def test_algorithm_of_id_tokens_is_one_that_this_server_signs_with() -> None:
    def algorithm(*available: str, **members: Any) -> str:
        document = {"redirect_uris": [WEB], **members}
        return parse_client_metadata(document, METHODS, "client_secret_basic", available).id_token_alg

    assert algorithm("EdDSA", "RS256") == "RS256"
    assert algorithm("EdDSA", "RS256", id_token_signed_response_alg="EdDSA") == "EdDSA"
    assert algorithm("EdDSA") == "EdDSA"
    with pytest.raises(OAuthError, match="must be one of: EdDSA"):
        algorithm("EdDSA", id_token_signed_response_alg="RS256")


WRONG_KEYS: Final[dict[str, dict[str, Any]]] = {
    "no key": {},
    "two places": {"jwks": KEYS, "jwks_uri": "https://keys.example/"},
    "http": {"jwks_uri": "http://keys.example/"},
    "user name": {"jwks_uri": "https://a@keys.example/"},
    "private key": {"jwks": {"keys": [{**KEYS["keys"][0], "d": "A" * 43}]}},
    "not a set": {"jwks": []},
}


@pytest.mark.requirement("DR05", "DR06", "DR07", "DR09")
@pytest.mark.parametrize(
    ("code", "members"),
    [
        *(pytest.param("invalid_client_metadata", BY_KEY | it, id=name) for name, it in WRONG_KEYS.items()),
        pytest.param("invalid_redirect_uri", {"redirect_uris": []}, id="no redirect URI"),
        pytest.param("invalid_redirect_uri", {"redirect_uris": None}, id="redirect URIs left out"),
        pytest.param("invalid_redirect_uri", {"redirect_uris": ["http://app.example/"]}, id="http"),
        pytest.param("invalid_redirect_uri", {"redirect_uris": [WEB, WEB + "#x"]}, id="fragment"),
        pytest.param("invalid_redirect_uri", {"redirect_uris": ["javascript:alert(1)"]}, id="script"),
        pytest.param("invalid_redirect_uri", {"redirect_uris": ["https://*.example/"]}, id="wildcard"),
        pytest.param("invalid_redirect_uri", {"redirect_uris": [PRIVATE], "application_type": "web"}, id="scheme, web"),
        pytest.param("invalid_redirect_uri", {"redirect_uris": [f"{WEB}{n}" for n in range(21)]}, id="too many"),
        pytest.param("invalid_redirect_uri", {"post_logout_redirect_uris": ["http://a.example"]}, id="after logout"),
        pytest.param("invalid_client_metadata", {"backchannel_logout_uri": "http://app.example/"}, id="told by http"),
        pytest.param("invalid_client_metadata", {"backchannel_logout_uri": WEB + "#x"}, id="told, fragment"),
        pytest.param("invalid_client_metadata", {"redirect_uris": WEB}, id="not an array"),
        pytest.param("invalid_client_metadata", {"redirect_uris": [1]}, id="not strings"),
        pytest.param("invalid_client_metadata", {"grant_types": ["client_credentials"]}, id="another grant only"),
        pytest.param("invalid_client_metadata", {"response_types": ["token"]}, id="another response type only"),
        pytest.param("invalid_client_metadata", {"token_endpoint_auth_method": "tls_client_auth"}, id="method"),
        pytest.param("invalid_client_metadata", {"token_endpoint_auth_method": ["none"]}, id="method not a string"),
        pytest.param("invalid_client_metadata", {"application_type": "spa"}, id="application type"),
        pytest.param("invalid_client_metadata", {"scope": 'a"b'}, id="scope"),
        pytest.param("invalid_client_metadata", {"scope": "a" * 1198}, id="scope too long"),
        pytest.param("invalid_client_metadata", {"client_name": "x" * 101}, id="name too long"),
        pytest.param("invalid_client_metadata", {"client_name": "a\u202eb"}, id="name that turns around"),
        pytest.param("invalid_client_metadata", {"id_token_signed_response_alg": "none"}, id="algorithm"),
        pytest.param("invalid_client_metadata", {"dpop_bound_access_tokens": "yes"}, id="not a flag"),
    ],
)
def test_what_is_refused(code: str, members: dict[str, Any]) -> None:
    with pytest.raises(OAuthError) as refusal:
        parse(**members)

    assert (refusal.value.code, refusal.value.status) == (code, 400)
    assert not {'"', "\\"} & set(refusal.value.description)
    assert "example" not in refusal.value.description.replace("com.example.app", "")


def test_metadata_replaces_that_of_a_client_and_nothing_else() -> None:
    before = Client("c_1", False, NOW, secret_digest=b"secret", registration="dynamic", status_index=7, name="Old")

    after = parse(LOOPBACK, token_endpoint_auth_method="none").applied_to(before, frozenset({"read"}))

    assert after == Client(
        "c_1",
        True,
        NOW,
        grant_types=frozenset({"authorization_code"}),
        scope=frozenset({"read"}),
        redirect_uris=frozenset({LOOPBACK}),
        application_type="native",
        secret_digest=b"secret",
        registration="dynamic",
        status_index=7,
    )
