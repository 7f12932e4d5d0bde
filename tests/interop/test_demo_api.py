"""The demo's protected API: accepted tokens, and refusals (RFC 6750 section 3, RFC 9068 section 4)."""

import base64
import runpy
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import pytest
from joserfc import jws, jwt
from joserfc.jwk import OctKey, RSAKey
from starlette.testclient import TestClient

from support.rsa_keys import rsa_key

API: Final = Path(__file__).parents[2] / "clients" / "demo" / "api.py"
ISSUER: Final = "https://as.example/tenant"
METADATA: Final = "https://as.example/.well-known/oauth-authorization-server/tenant"
AUDIENCE: Final = "https://orders.example"
KEY: Final = rsa_key(0, kid="one")
OTHER_KEY: Final = rsa_key(1, kid="other")
INVALID: Final = 'Bearer realm="orders", error="invalid_token", error_description="The access token is not valid here."'


class Issuer:
    """The metadata and keys that the API fetches, and a manual clock."""

    def __init__(self) -> None:
        self.keys: list[RSAKey] = [KEY]
        self.name = ISSUER
        self.is_unavailable = False
        self.fetched: list[str] = []
        self.now = 1000.0

    def get_json(self, url: str) -> dict[str, Any]:
        self.fetched.append(url)
        if self.is_unavailable:
            raise OSError("no server answers")
        if url == METADATA:
            return {"issuer": self.name, "jwks_uri": "https://as.example/keys"}
        assert url == "https://as.example/keys"
        return {"keys": [key.as_dict(private=False) for key in self.keys]}


@pytest.fixture
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture
def names(issuer: Issuer) -> dict[str, Any]:
    """The namespace of api.py with this issuer."""
    names = runpy.run_path(str(API))
    names["create"].__globals__["_get_json"] = issuer.get_json
    names["create"].__globals__["time"] = SimpleNamespace(monotonic=lambda: issuer.now)
    return names


@pytest.fixture
def api(names: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    monkeypatch.setenv("DEMO_ISSUER", ISSUER)
    monkeypatch.setenv("DEMO_AUDIENCE", AUDIENCE)
    with TestClient(names["create"]()) as client:
        yield client


def token(key: RSAKey | OctKey = KEY, header: dict[str, Any] | None = None, **claims: Any) -> str:
    """Return a valid access token with these changes. A member that is None is left out."""
    good_claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "u_1", "exp": in_seconds(60), "scope": "read"}
    good_header = {"alg": "RS256", "typ": "at+jwt", "kid": "one"}
    header = without_nones(good_header | (header or {}))
    return jwt.encode(header, without_nones(good_claims | claims), key, algorithms=["RS256", "HS256"])


def without_nones(members: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}


def in_seconds(seconds: int) -> int:
    return int(time.time()) + seconds


def get(api: TestClient, *headers: str, path: str = "/orders") -> tuple[int, str | None]:
    """Return status and challenge of the response."""
    answer = api.get(path, headers=[("Authorization", it) for it in headers])
    return answer.status_code, answer.headers.get("WWW-Authenticate")


@pytest.mark.parametrize(
    ("header", "claims"),
    [({}, {}), ({}, {"scope": "write read"}), ({}, {"aud": ["https://other.example", AUDIENCE]}),
     ({"typ": "application/at+jwt"}, {})],
    ids=["one scope", "several scopes", "several audiences", "type in full"],
)  # fmt: skip
@pytest.mark.requirement("B01", "G08")
def test_valid_token_is_accepted(api: TestClient, header: dict[str, Any], claims: dict[str, Any]) -> None:
    assert get(api, f"Bearer {token(header=header, **claims)}") == (200, None)
    assert get(api, f"bearer {token(header=header, **claims)}") == (200, None)


BAD: Final[dict[str, Callable[[], str]]] = {
    "another issuer": lambda: token(iss="https://as.example"),
    "no issuer": lambda: token(iss=None),
    "another audience": lambda: token(aud="https://payroll.example"),
    "no audience": lambda: token(aud=None),
    "expired": lambda: token(exp=in_seconds(-60)),
    "no expiry": lambda: token(exp=None),
    "expiry as text": lambda: token(exp="never"),
    "not yet": lambda: token(nbf=in_seconds(60)),
    "no subject": lambda: token(sub=None),
    "another kind of JWT": lambda: token(header={"typ": "JWT"}),
    "no type": lambda: token(header={"typ": None}),
    "no kid": lambda: token(header={"kid": None}),
    "unknown kid": lambda: token(header={"kid": "unknown"}),
    "another key": lambda: token(OTHER_KEY),
    "another algorithm": lambda: token(OctKey.generate_key(256), {"alg": "HS256"}),
    "another signature": lambda: token().rpartition(".")[0] + "." + token(OTHER_KEY).rpartition(".")[2],
    "no signature": lambda: token().rpartition(".")[0] + ".",
    "no token": lambda: "",
    "no JWT": lambda: "no.jwt.at.all",
    "claims that are no object": lambda: jws.serialize_compact({"alg": "RS256", "kid": "one"}, b"[]", KEY, ["RS256"]),
    "a header of many brackets": lambda: base64.urlsafe_b64encode(b"[" * 30000).decode() + ".e30.AA",
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
@pytest.mark.requirement("B05", "B07", "F03", "F04", "G08")
def test_invalid_token_is_refused_with_invalid_token(api: TestClient, bad: Callable[[], str]) -> None:
    assert get(api, f"Bearer {bad()}") == (401, INVALID)


@pytest.mark.requirement("B04", "B05", "B06")
def test_without_a_bearer_token_the_challenge_has_no_error_code(api: TestClient) -> None:
    challenge = (401, 'Bearer realm="orders"')

    assert get(api) == get(api, "Basic dTpw") == challenge
    assert get(api, path=f"/orders?access_token={token()}") == challenge


@pytest.mark.parametrize("scope", ["write", "readonly", "", None], ids=repr)
@pytest.mark.requirement("B07")
def test_insufficient_scope_is_forbidden_and_named(api: TestClient, scope: str | None) -> None:
    challenge = 'Bearer realm="orders", error="insufficient_scope", scope="read"'

    assert get(api, f"Bearer {token(scope=scope)}") == (403, challenge)


@pytest.mark.requirement("F12")
def test_keys_are_fetched_once_for_many_requests_though_the_kid_is_unknown(api: TestClient, issuer: Issuer) -> None:
    for number in range(5):
        get(api, f"Bearer {token()}")
        get(api, f"Bearer {token(header={'kid': str(number)})}")

    assert issuer.fetched == [METADATA, "https://as.example/keys"]


def test_key_published_later_is_found_after_ten_seconds(names: dict[str, Any], issuer: Issuer) -> None:
    keys = names["PublishedKeys"](ISSUER)
    assert keys.find("other") is None
    issuer.keys.append(OTHER_KEY)
    issuer.now += 9.9
    assert keys.find("other") is None

    issuer.now += 0.1

    assert keys.find("other").kid == "other"


def test_known_keys_are_kept_while_the_server_is_unavailable(names: dict[str, Any], issuer: Issuer) -> None:
    keys = names["PublishedKeys"](ISSUER)
    assert keys.find("one").kid == "one"
    issuer.is_unavailable = True
    issuer.now += 300

    assert keys.find("one").kid == "one"
    assert len(issuer.fetched) == 3


@pytest.mark.requirement("F10")
def test_metadata_of_another_issuer_is_not_used(names: dict[str, Any], issuer: Issuer) -> None:
    issuer.name = "https://evil.example"

    assert names["PublishedKeys"](ISSUER).find("one") is None
    assert issuer.fetched == [METADATA]
