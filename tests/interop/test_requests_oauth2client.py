"""requests_oauth2client against a live server: discovery, the authorization code grant, and what follows."""

import pytest
from requests_oauth2client import (
    AuthorizationResponseError,
    BearerToken,
    DPoPKey,
    DPoPToken,
    IdToken,
    InvalidGrant,
    OAuth2Client,
    PrivateKeyJwt,
)

from interop.live_server import AUDIENCE, CALLBACK, Live


def client_with_key(live: Live, *, dpop: bool) -> OAuth2Client:
    """Return a client that authenticates by a key. By default, its library uses the endpoint as audience."""
    return OAuth2Client.from_discovery_endpoint(
        f"{live.issuer}/.well-known/oauth-authorization-server",
        issuer=live.issuer,
        auth=PrivateKeyJwt("web-key", live.key, alg="ES256", aud=live.issuer),
        redirect_uri=CALLBACK,
        dpop_bound_access_tokens=dpop,
        testing=True,  # Plain http.
    )


def client_of(live: Live, client_id: str) -> OAuth2Client:
    return OAuth2Client.from_discovery_endpoint(
        f"{live.issuer}/.well-known/oauth-authorization-server",
        issuer=live.issuer,
        client_id=client_id,
        client_secret=live.secrets.get(client_id),
        redirect_uri=CALLBACK,
        testing=True,  # Plain http.
    )


@pytest.mark.parametrize("client_id", ["web-post", "spa"])
@pytest.mark.requirement("A27", "A28", "RR03", "RR04", "CO03", "CO04")
def test_code_is_redeemed_once_and_its_session_refreshed(live: Live, client_id: str) -> None:
    client = client_of(live, client_id)
    request = client.authorization_request(scope="read", nonce=None)
    answer = request.validate_callback(live.person.authorize_blocking(request.uri))

    first = client.authorization_code(answer)
    second = client.refresh_token(first)
    service = client_of(live, "orders-api")
    seen = service.introspect_token(second)
    assert isinstance(first, BearerToken)
    assert (first.scope, round(first.expires_in or 0, -1)) == ("read", 600), "the library counts it down"
    assert (seen["sub"], seen["client_id"], seen["aud"]) == (live.sub, client_id, AUDIENCE)

    with pytest.raises(InvalidGrant):
        client.authorization_code(answer)
    with pytest.raises(InvalidGrant):
        client.refresh_token(second)
    assert service.introspect_token(second) == {"active": False}


@pytest.mark.requirement("OI20", "OI22", "OI25")
def test_id_token_is_valid(live: Live) -> None:
    client = client_of(live, "web-post")
    request = client.authorization_request(scope="openid", max_age=60)
    token = client.authorization_code(request.validate_callback(live.person.authorize_blocking(request.uri)))

    assert isinstance(token.id_token, IdToken)
    assert token.id_token.subject == live.sub


@pytest.mark.requirement("RR05")
def test_denial_is_an_error_that_names_the_issuer(live: Live) -> None:
    request = client_of(live, "spa").authorization_request(scope="write", nonce=None)
    denied = live.person.authorize_blocking(request.uri, "deny")

    with pytest.raises(AuthorizationResponseError) as refused:
        request.validate_callback(denied)
    assert refused.value.error == "access_denied"
    assert "iss=" in denied


@pytest.mark.requirement("PA03", "PA09", "PA12", "CA01", "CA08")
def test_client_with_a_key_pushes_its_request(live: Live) -> None:
    client = client_with_key(live, dpop=False)
    request = client.authorization_request(scope="read", nonce=None)
    pushed = client.pushed_authorization_request(request)
    answer = request.validate_callback(live.person.authorize_blocking(pushed.uri))

    first = client.authorization_code(answer)
    second = client.refresh_token(first)

    assert isinstance(first, BearerToken)
    assert (second.scope, round(second.expires_in or 0, -1)) == ("read", 600)
    client.revoke_refresh_token(second)
    with pytest.raises(InvalidGrant):
        client.refresh_token(second)


@pytest.mark.requirement("DP01", "DP04", "DP07", "DP09", "DP11", "DP12", "DP16", "PA11", "PA12")
@pytest.mark.parametrize("alg", ["ES256", "EdDSA"])
@pytest.mark.parametrize("server", ["live", "live_with_nonces"])
def test_pushed_request_client_key_and_dpop_together(request: pytest.FixtureRequest, server: str, alg: str) -> None:
    live: Live = request.getfixturevalue(server)
    client, key = client_with_key(live, dpop=True), DPoPKey.generate(alg)
    asked = client.authorization_request(scope="openid profile", dpop_key=key)
    pushed = client.pushed_authorization_request(asked)
    answer = asked.validate_callback(live.person.authorize_blocking(pushed.uri))

    # The library cannot verify the ID token of a response with a DPoP token.
    first = client.authorization_code(answer, validate=False)
    second = client.refresh_token(first)

    assert isinstance(second, DPoPToken)
    assert (second.token_type, second.dpop_key.dpop_jkt) == ("DPoP", key.dpop_jkt)
    assert client.userinfo(second)["preferred_username"] == live.username
    own = client.client_credentials()
    assert isinstance(own, DPoPToken)
