"""private_key_jwt at every endpoint where clients authenticate (RFC 7523), and published key sets of clients."""

import asyncio
import json
from typing import Any

import httpx2
import pytest

from jeton.crypto.algorithms import verify
from jeton.endpoints.clients.client_key_sets import FETCH_INTERVAL_SECONDS, FRESH_SECONDS, STALE_SECONDS
from support.authorization_codes import add_app
from support.browsing import authorization_parameters
from support.client_keys import ClientKeyPair, as_parameters
from support.in_process_server import ISSUER, App, Running, StartServer
from support.remote_server import RemoteRequest, remote_server, response
from support.responses import outcome, visible
from support.statement_recorder import statements_of

KEY = ClientKeyPair()
METHODS = frozenset({"private_key_jwt"})
TOKEN = "/oauth/token"
UNAUTHENTICATED = (401, "invalid_client")


def add_key_client(jeton: Running, client_id: str = "job", key: ClientKeyPair = KEY, **fields: Any) -> App:
    fields = {"jwks": key.jwks, **fields}
    app = jeton.add_client(client_id, auth_methods=METHODS, secret_digest=None, **fields)
    return App(app.client)


async def request_token(jeton: Running, assertion: dict[str, str], **more: str) -> httpx2.Response:
    return await jeton.http.post(TOKEN, data={"grant_type": "client_credentials", **assertion, **more})


@pytest.mark.requirement("CA01", "CA03", "CA05", "A10", "I13")
@pytest.mark.parametrize("algorithm", ["ES256", "Ed25519", "EdDSA", "PS256", "RS256"])
async def test_each_algorithm_authenticates_a_client_once(jeton: Running, algorithm: str) -> None:
    key = ClientKeyPair(algorithm, kid=None)
    add_key_client(jeton, key=key)
    assertion = key.assertion(jeton, "job")

    assert [outcome(await request_token(jeton, assertion)) for _ in range(2)] == [(200, None), UNAUTHENTICATED]


@pytest.mark.requirement("CA08", "PA12")
async def test_the_same_assertions_are_taken_at_every_endpoint(jeton: Running) -> None:
    add_app(jeton, "job", auth_methods=METHODS, secret_digest=None, jwks=KEY.jwks, introspect=True)
    forms: dict[str, dict[str, Any]] = {
        "/oauth/par": {**authorization_parameters(App(jeton.add_client("other").client)), "client_id": "job"},
        "/oauth/revoke": {"token": "x"},
        "/oauth/introspect": {"token": "x"},
    }

    for path, form in forms.items():
        good = await jeton.http.post(path, data=form | KEY.assertion(jeton, "job"))
        bad = await jeton.http.post(path, data=form | KEY.assertion(jeton, "job", aud=ISSUER + path))
        assert (good.status_code // 100, outcome(bad)) == (2, UNAUTHENTICATED), path


@pytest.mark.requirement("CA02", "CA05", "CA07", "CA10", "A04")
async def test_every_wrong_assertion_is_refused_in_the_same_way(jeton: Running) -> None:
    add_key_client(jeton)
    add_key_client(jeton, "disabled", disabled=True)
    jeton.add_client("with a secret", jwks=KEY.jwks)
    other = ClientKeyPair(kid=KEY.kid)
    good = KEY.assertion(jeton, "job")
    wrong = {
        "unknown client": KEY.assertion(jeton, "nobody"),
        "client of another method": KEY.assertion(jeton, "with a secret"),
        "disabled client": KEY.assertion(jeton, "disabled"),
        "no client": KEY.assertion(jeton, "job", sub=...),
        "another key": other.assertion(jeton, "job"),
        "unknown kid": KEY.assertion(jeton, "job", {"kid": "key 2"}),
        "another algorithm": as_parameters(ClientKeyPair("EdDSA").sign({"sub": "job"})),
        "a key of its own": other.assertion(jeton, "job", {"kid": ..., "jwk": other.public}),
        "expired": KEY.assertion(jeton, "job", exp=jeton.clock.now()),
        "type of another purpose": KEY.assertion(jeton, "job", {"typ": "dpop+jwt"}),
        "changed": {**good, "client_assertion": good["client_assertion"][:-4] + "AAAA"},
        "no JWT": as_parameters("x"),
        "unsigned": as_parameters("e30.e30."),
        "claims that are no object": as_parameters("e30.W10.AA"),
        "SAML": {**good, "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"},
        "no type": {"client_assertion": good["client_assertion"]},
        "another client_id": good | {"client_id": "with a secret"},
    }

    answers = {name: await request_token(jeton, assertion) for name, assertion in wrong.items()}

    assert {name: outcome(it) for name, it in answers.items()} == dict.fromkeys(wrong, UNAUTHENTICATED)
    assert len({repr(visible(it)) for it in answers.values()}) == 1
    for second in ({"client_secret": "s"}, {}):
        headers = {} if second else {"Authorization": "Basic am9iOng="}
        both = await jeton.http.post(TOKEN, data={**good, **second}, headers=headers)
        assert outcome(both) == (400, "invalid_request")
    assert outcome(await request_token(jeton, good, client_id="job")) == (200, None)


@pytest.mark.requirement("CA06")
async def test_a_legacy_client_may_use_the_token_endpoint_as_audience_if_registered_so(jeton: Running) -> None:
    add_key_client(jeton, assertion_audience="legacy")
    add_key_client(jeton, "strict")

    for client_id, expected in (("job", (200, None)), ("strict", UNAUTHENTICATED)):
        assertion = KEY.assertion(jeton, client_id, aud=ISSUER + TOKEN)
        assert outcome(await request_token(jeton, assertion)) == expected


@pytest.mark.requirement("A09")
async def test_wrong_assertions_are_limited_like_wrong_secrets_and_right_ones_are_not(start: StartServer) -> None:
    jeton = await start(LIMITS__SECRET_FAILURES_PER_ADDRESS="3", LIMITS__SECRET_FAILURES_PER_CLIENT="3")
    add_key_client(jeton)
    wrong = KEY.assertion(jeton, "job", aud="x")

    assert [(await request_token(jeton, wrong)).status_code for _ in range(5)][-1] == 429
    assert outcome(await request_token(jeton, KEY.assertion(jeton, "job"))) == (200, None)


@pytest.mark.requirement("CA07")
@pytest.mark.parametrize("algorithm", ["ES256", "Ed25519", "RS256"])
@pytest.mark.parametrize("cached", [False, True])
async def test_a_refusal_costs_the_same_for_clients_that_do_not_exist(
    jeton: Running, monkeypatch: pytest.MonkeyPatch, cached: bool, algorithm: str
) -> None:
    key = ClientKeyPair(algorithm)
    add_key_client(jeton, key=key)
    add_key_client(jeton, "disabled", disabled=True)
    jeton.add_client("with a secret")
    verified: list[str] = []

    def counted(algorithm: str, signing_input: bytes, signature: bytes, key: Any) -> bool:
        verified.append(algorithm)
        return verify(algorithm, signing_input, signature, key)

    monkeypatch.setattr("jeton.crypto.presented_jwt.verify", counted)
    stranger, costs = ClientKeyPair(algorithm), {}
    for client_id in ("job", "disabled", "with a secret", "nobody"):
        jeton.lookups.clear_client_cache()
        if cached:
            await jeton.lookups.client(client_id)
        assertion = stranger.assertion(jeton, client_id)
        verified.clear()
        with statements_of(jeton) as sent:
            assert outcome(await request_token(jeton, assertion)) == UNAUTHENTICATED
        costs[client_id] = (len(verified), sent)

    assert costs["nobody"][0] == 1
    assert costs == dict.fromkeys(costs, costs["nobody"])


@pytest.mark.requirement("CA03", "DP05")
async def test_clients_that_register_themselves_leave_room_for_the_assertions_of_others(
    jeton: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jeton.storage.ledger.replay_store.MAX_ROWS", 6)
    add_key_client(jeton)
    add_key_client(jeton, "stranger", registration="dynamic")

    async def attempt(client_id: str) -> int:
        jeton.shared_state.refresh()
        return (await request_token(jeton, KEY.assertion(jeton, client_id))).status_code

    assert [await attempt("stranger") for _ in range(3)] == [200, 200, 503]
    assert [await attempt("job") for _ in range(5)] == [200] * 4 + [503]


# Published key sets.


class PublishedKeys:
    """The key set at a client's jwks_uri."""

    def __init__(self, *keys: ClientKeyPair) -> None:
        self.keys = keys
        self.status = "200 OK"

    async def respond(self, _: RemoteRequest) -> bytes:
        return response(self.status, json.dumps({"keys": [it.public for it in self.keys]}).encode())


@pytest.mark.requirement("CA05")
async def test_a_published_key_set_is_fetched_once_and_again_for_an_unknown_key_within_bounds(jeton: Running) -> None:
    old, new = ClientKeyPair(kid="old"), ClientKeyPair(kid="new")
    published = PublishedKeys(old)

    async def attempt(key: ClientKeyPair) -> int:
        return (await request_token(jeton, key.assertion(jeton, "job"))).status_code

    async with remote_server(published.respond) as remote:
        add_key_client(jeton, jwks=None, jwks_uri=f"http://127.0.0.1:{remote.port}/keys")
        assert [await attempt(old) for _ in range(3)] == [200] * 3
        assert await asyncio.gather(*(attempt(new) for _ in range(5))) == [401] * 5
        assert len(remote.requests) == 1  # The last fetch was less than 30 seconds ago.
        published.keys = (old, new)
        jeton.clock.advance(FETCH_INTERVAL_SECONDS)
        assert await asyncio.gather(*(attempt(new) for _ in range(5))) == [200] * 5
        assert len(remote.requests) == 2
        published.keys = (new,)
        jeton.clock.advance(FRESH_SECONDS)
        assert [await attempt(new), await attempt(old)] == [200, 401]
        assert len(remote.requests) == 3


async def test_clients_that_register_themselves_do_not_displace_the_keys_of_others(
    jeton: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jeton.endpoints.clients.client_key_sets._MAX_CACHED", 1)
    async with remote_server(PublishedKeys(KEY).respond) as remote:
        add_key_client(jeton, jwks=None, jwks_uri=f"http://127.0.0.1:{remote.port}/keys")
        add_key_client(jeton, "stranger", jwks=None, jwks_uri="https://127.0.0.1/keys", registration="dynamic")
        for client_id, status in (("job", 200), ("stranger", 401), ("job", 200)):
            assert (await request_token(jeton, KEY.assertion(jeton, client_id))).status_code == status
        assert len(remote.requests) == 1


async def test_cached_keys_of_a_client_are_used_for_an_hour_without_its_web_server(jeton: Running) -> None:
    published = PublishedKeys(KEY)
    async with remote_server(published.respond) as remote:
        add_key_client(jeton, jwks=None, jwks_uri=f"http://127.0.0.1:{remote.port}/keys")
        assert outcome(await request_token(jeton, KEY.assertion(jeton, "job"))) == (200, None)
        published.status = "500 Internal Server Error"

        jeton.clock.advance(STALE_SECONDS - 1)
        assert outcome(await request_token(jeton, KEY.assertion(jeton, "job"))) == (200, None)
        jeton.clock.advance(1)
        assert outcome(await request_token(jeton, KEY.assertion(jeton, "job"))) == UNAUTHENTICATED


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"[]", id="no set"),
        pytest.param(b'{"keys": [' + b"[" * 10_000, id="deep"),
        pytest.param(json.dumps({"keys": [KEY.key.as_dict(private=True)]}).encode(), id="private key"),
        pytest.param(b" " * 70_000, id="too long"),
    ],
)
async def test_an_unacceptable_key_set_authenticates_no_client(jeton: Running, body: bytes) -> None:
    async with remote_server(response(body=body)) as remote:
        add_key_client(jeton, jwks=None, jwks_uri=f"http://127.0.0.1:{remote.port}/keys")
        assert outcome(await request_token(jeton, KEY.assertion(jeton, "job"))) == UNAUTHENTICATED


async def test_no_keys_are_fetched_for_requests_that_are_refused_anyway(jeton: Running) -> None:
    """Keys are not fetched for unknown, disabled and other clients, nor for assertions that are invalid anyway.

    For an unregistered client nothing is fetched from the operator's own network.
    """
    published = PublishedKeys(KEY)
    async with remote_server(published.respond) as remote:
        keys: dict[str, Any] = {"jwks": None, "jwks_uri": f"http://127.0.0.1:{remote.port}/keys"}
        add_key_client(jeton, **keys)
        add_key_client(jeton, "disabled", disabled=True, **keys)
        add_key_client(jeton, "dynamic", registration="dynamic", **keys)
        jeton.add_client("with a secret", **keys)
        wrong = [KEY.assertion(jeton, it) for it in ("unknown", "disabled", "with a secret", "dynamic")]
        wrong.append(KEY.assertion(jeton, "job", aud="https://other.example"))

        assert [outcome(await request_token(jeton, it)) for it in wrong] == [UNAUTHENTICATED] * 5
        assert remote.requests == []
        assert outcome(await request_token(jeton, KEY.assertion(jeton, "job"))) == (200, None)
        assert outcome(await request_token(jeton, KEY.assertion(jeton, "dynamic"))) == UNAUTHENTICATED
