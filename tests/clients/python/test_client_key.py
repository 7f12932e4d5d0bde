"""Clients that authenticate by a signature: content, audience and number of assertions (RFC 7523)."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, Key, OctKey, OKPKey

from jeton_client import Client, ClientKey
from jeton_client.token_requests import log_in_as_client
from support.rsa_keys import rsa_key

ISSUER = "https://as.example/tenant"
NOW = 1_800_000_000


def fields_of(client: Client) -> dict[str, str]:
    """Return the form of one attempt to send a request."""
    body = log_in_as_client(f"{ISSUER}/token", client).body
    assert body is not None
    return dict(parse_qsl(body.decode(), strict_parsing=True))


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [
        (ECKey.generate_key("P-256", {"kid": "k1"}), "ES256"),
        (OKPKey.generate_key("Ed25519", {"kid": "k1"}), "EdDSA"),
        (rsa_key(0, kid="k1"), "PS256"),
        (rsa_key(1, kid="k1", alg="RS256"), "RS256"),
    ],
    ids=lambda it: it if isinstance(it, str) else "",
)
@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")
@pytest.mark.requirement("CA01")
def test_each_attempt_has_a_new_assertion_for_the_issuer_only(key: Key, algorithm: str, tmp_path: Path) -> None:
    (tmp_path / "key.json").write_text(json.dumps(key.as_dict(private=True)))
    signing = ClientKey(key.as_dict(private=True), clock=lambda: NOW)
    client = Client("nightly", key=signing, issuer=ISSUER)

    attempts = [fields_of(client) for _ in range(2)]
    tokens = [jwt.decode(it["client_assertion"], key, algorithms=[algorithm]) for it in attempts]

    assert tokens[0].header == {"alg": algorithm, "typ": "client-authentication+jwt", "kid": "k1"}
    common = {"iss": "nightly", "sub": "nightly", "aud": ISSUER, "iat": NOW, "exp": NOW + 60}
    assert [{**it.claims, "jti": ""} for it in tokens] == [{**common, "jti": ""}] * 2
    assert len({it.claims["jti"] for it in tokens}) == 2
    assert attempts[0]["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    assert (attempts[0]["client_id"], "client_secret" in attempts[0]) == ("nightly", False)
    assert ClientKey.from_file(tmp_path / "key.json").assertion("nightly", ISSUER).count(".") == 2


PRIVATE = ECKey.generate_key("P-256").as_dict(private=True)


@pytest.mark.parametrize(
    "jwk",
    [
        OctKey.generate_key(256).as_dict(private=True),
        ECKey.generate_key("P-256").as_dict(private=False),
        ECKey.generate_key("P-384").as_dict(private=True),
        *({}, [1], {"kty": "other"}, {**PRIVATE, "d": "!"}, {**PRIVATE, "kid": 5}, {**PRIVATE, "alg": "HS256"}),
    ],
    ids=["secret", "public key", "other curve", "empty", "list", "other type", "malformed", "kid", "alg"],
)
def test_other_than_a_private_key_of_a_client_is_refused(jwk: Mapping[str, Any]) -> None:
    with pytest.raises(ValueError, match="client key"):
        ClientKey(jwk)


def test_a_client_has_what_its_method_needs_and_no_more() -> None:
    key = ClientKey(ECKey.generate_key("P-256").as_dict(private=True))
    for given in ({"key": key, "secret": "s"}, {"key": key, "method": "none"}, {"method": "private_key_jwt"}):
        with pytest.raises(ValueError, match="require a secret"):
            Client("nightly", **given)
    assert "assertion" not in repr(Client("nightly", key=key))
