"""The demo's protected API: what it lets in, and how it refuses (RFC 6750 section 3, RFC 9068 section 4)."""

import base64
import runpy
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from joserfc import jws, jwt
from joserfc.jwk import OctKey, RSAKey
from starlette.testclient import TestClient

API: Final = Path(__file__).parents[2] / "clients" / "demo" / "api.py"
ISSUER: Final = "https://as.example/tenant"
AUDIENCE: Final = "https://orders.example"
KEY: Final = RSAKey.generate_key(2048, {"kid": "one"})
OTHER_KEY: Final = RSAKey.generate_key(2048, {"kid": "other"})
INVALID: Final = 'Bearer realm="orders", error="invalid_token", error_description="The access token is not valid here."'


class Internet:
    """What the API finds when it fetches something: the issuer's metadata, and the keys published there."""

    def __init__(self) -> None:
        self.keys: list[RSAKey] = [KEY]
        self.issuer = ISSUER
        self.away = False
        self.fetched: list[str] = []

    def get_json(self, url: str) -> dict[str, Any]:
        self.fetched.append(url)
        if self.away:
            raise OSError("nobody answers")
        if url == "https://as.example/.well-known/oauth-authorization-server/tenant":
            return {"issuer": self.issuer, "jwks_uri": "https://as.example/keys"}
        assert url == "https://as.example/keys"
        return {"keys": [key.as_dict(private=False) for key in self.keys]}


@pytest.fixture
def internet() -> Internet:
    return Internet()


@pytest.fixture
def names(internet: Internet) -> dict[str, Any]:
    """The names of api.py, on this internet."""
    names = runpy.run_path(str(API))
    names["create"].__globals__["_get_json"] = internet.get_json
    return names


@pytest.fixture
def api(names: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    monkeypatch.setenv("DEMO_ISSUER", ISSUER)
    monkeypatch.setenv("DEMO_AUDIENCE", AUDIENCE)
    with TestClient(names["create"]()) as client:
        yield client


def token(key: RSAKey | OctKey = KEY, header: dict[str, Any] | None = None, **claims: Any) -> str:
    """An access token that is good but for what is said; a claim that is None is left out."""
    good = {"iss": ISSUER, "aud": AUDIENCE, "sub": "u_1", "exp": in_seconds(60), "scope": "read"}
    header = without_nones({"alg": "RS256", "typ": "at+jwt", "kid": "one", **(header or {})})
    return jwt.encode(header, without_nones({**good, **claims}), key, algorithms=["RS256", "HS256"])


def without_nones(members: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}


def in_seconds(seconds: int) -> int:
    return int(time.time()) + seconds


def bearer(value: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {value}"}


@pytest.mark.parametrize(
    "claims",
    [{}, {"scope": "write read"}, {"aud": ["https://other.example", AUDIENCE]}],
    ids=["one scope", "several scopes", "several audiences"],
)
@pytest.mark.requirement("B01", "G08")
def test_a_good_token_is_let_in(api: TestClient, claims: dict[str, Any]) -> None:
    good = token(**claims)

    assert api.get("/orders", headers=bearer(good)).status_code == 200
    assert api.get("/orders", headers={"authorization": f"bearer {good}"}).status_code == 200


def test_the_type_may_be_written_in_full(api: TestClient) -> None:
    assert api.get("/orders", headers=bearer(token(header={"typ": "application/at+jwt"}))).status_code == 200


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
    "a kid of nobody": lambda: token(header={"kid": "nobody"}),
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
def test_a_bad_token_is_invalid(api: TestClient, bad: Callable[[], str]) -> None:
    answer = api.get("/orders", headers=bearer(bad()))

    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, INVALID)


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Basic dTpw"}], ids=["none", "Basic"])
@pytest.mark.requirement("B05", "B06")
def test_without_a_bearer_token_the_challenge_has_no_error_code(api: TestClient, headers: dict[str, str]) -> None:
    answer = api.get("/orders", headers=headers)

    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, 'Bearer realm="orders"')


@pytest.mark.requirement("B04")
def test_a_token_in_the_address_is_not_looked_at(api: TestClient) -> None:
    assert api.get(f"/orders?access_token={token()}").status_code == 401


@pytest.mark.parametrize("scope", ["write", "readonly", "", None], ids=repr)
@pytest.mark.requirement("B07")
def test_too_little_scope_is_forbidden_and_the_scope_is_named(api: TestClient, scope: str | None) -> None:
    answer = api.get("/orders", headers=bearer(token(scope=scope)))

    challenge = 'Bearer realm="orders", error="insufficient_scope", scope="read"'
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (403, challenge)


def test_the_keys_are_fetched_once_for_many_requests(api: TestClient, internet: Internet) -> None:
    for _ in range(3):
        api.get("/orders", headers=bearer(token()))

    assert internet.fetched == [
        "https://as.example/.well-known/oauth-authorization-server/tenant",
        "https://as.example/keys",
    ]


@pytest.mark.requirement("F12")
def test_unknown_kids_do_not_make_it_ask_each_time(api: TestClient, internet: Internet) -> None:
    for number in range(5):
        api.get("/orders", headers=bearer(token(header={"kid": str(number)})))

    assert len(internet.fetched) == 2


def test_a_key_published_later_is_found_after_ten_seconds(names: dict[str, Any], internet: Internet) -> None:
    keys = names["PublishedKeys"](ISSUER)
    assert keys.find("other") is None
    internet.keys.append(OTHER_KEY)
    assert keys.find("other") is None

    keys._fetched_at -= 10

    assert keys.find("other").kid == "other"


def test_while_the_server_is_away_the_known_keys_stay_good(names: dict[str, Any], internet: Internet) -> None:
    keys = names["PublishedKeys"](ISSUER)
    assert keys.find("one").kid == "one"
    internet.away = True

    keys._fetched_at -= 300

    assert keys.find("one").kid == "one"
    assert len(internet.fetched) == 3


@pytest.mark.requirement("F10")
def test_metadata_of_another_issuer_is_not_believed(names: dict[str, Any], internet: Internet) -> None:
    internet.issuer = "https://evil.example"

    assert names["PublishedKeys"](ISSUER).find("one") is None
    assert "https://as.example/keys" not in internet.fetched
