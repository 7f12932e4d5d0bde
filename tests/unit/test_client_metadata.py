"""Client metadata (RFC 7591): what is registered of it, what is left out, and what is refused."""

from typing import Any, Final

import pytest

from jeton.frozen import replace
from jeton.oauth.clients import Client
from jeton.oauth.errors import OAuthError
from jeton.oauth.registration.client_metadata import ClientMetadata, parse_client_metadata
from support.builders import NOW, READ
from support.tables import rows

WEB: Final = "https://app.example/callback"
LOOPBACK: Final = "http://localhost:3334/callback"
PRIVATE: Final = "com.example.app:/callback"
METHODS: Final = ("client_secret_basic", "client_secret_post", "none", "private_key_jwt")
KEYS: Final[dict[str, Any]] = {"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "A" * 43}]}
BY_KEY: Final[dict[str, Any]] = {"token_endpoint_auth_method": "private_key_jwt"}
OUT: Final = "https://app.example/out"
BACKCHANNEL: Final[dict[str, Any]] = {"backchannel_logout_uri": OUT, "backchannel_logout_session_required": True}
NATIVE: Final = {"application_type": "native"}
BY_URI: Final = {"jwks_uri": "https://keys.example/"}


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
        pytest.param(BACKCHANNEL, BACKCHANNEL, id="back-channel logout"),
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
            id="unknown members, and reserved ones",
        ),
        pytest.param(NATIVE, NATIVE | {"auth_method": "none"}, id="native"),
        pytest.param(BY_KEY | {"jwks": KEYS}, {"auth_method": "private_key_jwt", "jwks": KEYS}, id="keys"),
        pytest.param(BY_KEY | BY_URI, {"auth_method": "private_key_jwt", **BY_URI}, id="address of keys"),
        pytest.param({"jwks": KEYS, "jwks_uri": "http://10.0.0.1"}, {}, id="keys that are not used"),
    ],
)  # fmt: skip
def test_valid_metadata_is_registered(members: dict[str, Any], registered: dict[str, Any]) -> None:
    assert parse(**members) == replace(DEFAULT, **registered)


@pytest.mark.requirement("DR07", "DR11", "MC18", "NA03")
def test_apps_on_the_users_device_are_native_and_public() -> None:
    """A secret would be inside the app; one that insists on a secret has it, and a web app in development is one."""

    def kind(*redirect_uris: str, **members: str) -> tuple[str, str]:
        found = parse(*redirect_uris, **members)
        assert found.redirect_uris == redirect_uris
        return found.application_type, found.auth_method

    assert kind(WEB) == kind(LOOPBACK, application_type="web") == ("web", "client_secret_basic")
    assert kind(LOOPBACK) == kind(WEB, LOOPBACK) == kind(PRIVATE) == ("native", "none")
    of_insisting = kind(LOOPBACK, token_endpoint_auth_method="client_secret_post")
    assert of_insisting == ("native", "client_secret_post")
    assert parse(PRIVATE, post_logout_redirect_uris=[PRIVATE]).post_logout_redirect_uris == (PRIVATE,)


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


WRONG_KEYS: Final[list[dict[str, Any]]] = [
    {},
    {"jwks": KEYS, "jwks_uri": "https://keys.example/"},
    {"jwks_uri": "http://keys.example/"},
    {"jwks_uri": "https://a@keys.example/"},
    *({"jwks_uri": f"https://keys{it}.example/"} for it in ("\0", " ", "\n", "\\", "ä")),
    {"jwks": {"keys": [{**KEYS["keys"][0], "d": "A" * 43}]}},
    {"jwks": []},
]
REFUSED: Final[dict[str, list[dict[str, Any]]]] = {
    "invalid_redirect_uri": [
        *({"redirect_uris": it} for it in ([], None, ["http://app.example/"], [WEB, WEB + "#x"])),
        *({"redirect_uris": [it]} for it in ("javascript:alert(1)", "https://*.example/")),
        {"redirect_uris": [PRIVATE], "application_type": "web"},
        {"redirect_uris": [f"{WEB}{n}" for n in range(21)]},
        *({"post_logout_redirect_uris": [it]} for it in ("http://a.example", PRIVATE)),
    ],
    "invalid_client_metadata": [
        *(BY_KEY | it for it in WRONG_KEYS),
        *({"backchannel_logout_uri": it} for it in ("http://app.example/", WEB + "#x")),
        *({"redirect_uris": it} for it in (WEB, [1])),
        *({"grant_types": ["client_credentials"]}, {"response_types": ["token"]}),
        *({"token_endpoint_auth_method": it} for it in ("tls_client_auth", ["none"])),
        *({"application_type": "spa"}, {"scope": 'a"b'}, {"scope": "a" * 1198}),
        *({"client_name": it} for it in ("x" * 101, "a\u202eb")),
        *({"id_token_signed_response_alg": "none"}, {"dpop_bound_access_tokens": "yes"}),
    ],
}


@pytest.mark.requirement("DR05", "DR06", "DR07", "DR09")
@pytest.mark.parametrize(("code", "members"), rows(REFUSED))
def test_invalid_metadata_is_refused(code: str, members: dict[str, Any]) -> None:
    with pytest.raises(OAuthError) as refusal:
        parse(**members)

    assert (refusal.value.code, refusal.value.status) == (code, 400)
    assert not {'"', "\\"} & set(refusal.value.description)
    assert "example" not in refusal.value.description.replace("com.example.app", "")


def test_metadata_replaces_that_of_a_client_and_nothing_else() -> None:
    before = Client("c_1", False, NOW, secret_digest=b"secret", registration="dynamic", status_index=7, name="Old")
    said: dict[str, Any] = {"grant_types": frozenset({"authorization_code"}), "redirect_uris": frozenset({LOOPBACK})}
    said["name"] = None
    before = replace(before, post_logout_redirect_uris=frozenset({LOOPBACK}))

    strict = {"require_pushed_authorization_requests": True, "dpop_bound_access_tokens": True}
    metadata = parse(LOOPBACK, token_endpoint_auth_method="none", backchannel_logout_uri=WEB, **strict)
    after = metadata.applied_to(before, READ)

    said["backchannel_logout_uri"] = WEB
    required = {"require_par": True, "require_dpop": True}
    said["post_logout_redirect_uris"] = frozenset()
    expected: dict[str, Any] = {"public": True, "scope": READ, "application_type": "native", **said, **required}
    assert after == replace(before, **expected)
