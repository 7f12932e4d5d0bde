"""The module of the profile Config OP, and those about discovery of both profiles about logout."""

import pytest

from interop.relying_party import SCOPES
from support.authorization_codes import add_app
from support.in_process_server import ISSUER, Running

REQUIRED = {
    *("issuer", "authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri"),
    *("response_types_supported", "subject_types_supported", "id_token_signing_alg_values_supported"),
}
PRIVATE = {"d", "p", "q", "dp", "dq", "qi", "k"}


@pytest.mark.requirement("OI50", "OI51", "OI52", "OI53", "OI55", "OI56", "H01", "LO01")
async def test_oidcc_discovery_endpoint_verification(shared_jeton: Running) -> None:
    add_app(shared_jeton, scope=SCOPES)
    response = await shared_jeton.http.get("/.well-known/openid-configuration")
    metadata = response.json()

    assert (response.status_code, response.headers["content-type"]) == (200, "application/json")
    assert metadata.keys() >= REQUIRED
    assert (metadata["issuer"], metadata["end_session_endpoint"]) == (ISSUER, f"{ISSUER}/oauth/logout")
    assert metadata["backchannel_logout_supported"] is metadata["backchannel_logout_session_supported"] is True
    assert "code" in metadata["response_types_supported"]
    assert metadata["id_token_signing_alg_values_supported"] == ["RS256"], "none is not offered"
    assert metadata["subject_types_supported"] == ["public"]
    assert metadata["code_challenge_methods_supported"] == ["S256"]
    assert [metadata[f"{it}_parameter_supported"] for it in ("claims", "request", "request_uri")] == [False] * 3
    assert {"en", "de"} <= set(metadata["ui_locales_supported"])
    assert [name for name, value in metadata.items() if value in ([], "", None)] == []
    assert "openid" in metadata["scopes_supported"]
    assert all(url.startswith(ISSUER) for name, url in metadata.items() if name.endswith(("_endpoint", "_uri")))

    keys = (await shared_jeton.http.get(metadata["jwks_uri"])).json()["keys"]
    assert keys
    assert len({key["kid"] for key in keys}) == len(keys)
    assert not any(key.keys() & PRIVATE for key in keys)
    assert {key["use"] for key in keys} == {"sig"}
