"""RFC 7662 section 2.2: what an introspecting caller is told, and what it is not."""

import pytest

from support.in_process_server import ISSUER, START, App, Running

INACTIVE = {"active": False}
API = "https://orders.example"
IDENTIFYING = frozenset({"preferred_username", "email"})


@pytest.mark.requirement("D03", "D05", "D06")
async def test_the_owner_is_told_what_its_access_token_says(jeton: Running) -> None:
    app = jeton.add_client()
    user = jeton.add_user(roles=("admin", "clerk"))
    tokens = await jeton.log_in(app, scope="read")

    told = await jeton.introspect(app, tokens["access_token"])

    jti, sid = told.pop("jti"), told.pop("sid")
    assert told == {
        "active": True,
        "token_type": "Bearer",
        "iss": ISSUER,
        "sub": user.sub,
        "aud": ISSUER,
        "iat": START,
        "exp": START + tokens["expires_in"],
        "client_id": app.client_id,
        "scope": "read",
        "auth_time": START,
        "amr": ["pwd"],
        "roles": ["admin", "clerk"],
    }
    assert len(jti) >= 22
    assert len(sid) >= 22


@pytest.mark.requirement("D03", "D06")
async def test_the_owner_is_told_of_its_refresh_token(jeton: Running) -> None:
    app = jeton.add_client(lifetimes={"refresh_idle_seconds": 500})
    user = jeton.add_user()
    tokens = await jeton.log_in(app, scope="read")

    told = await jeton.introspect(app, tokens["refresh_token"])

    del told["sid"]
    assert told == {
        "active": True,
        "token_type": "N_A",
        "issued_token_type": "urn:ietf:params:oauth:token-type:refresh_token",
        "iss": ISSUER,
        "sub": user.sub,
        "client_id": app.client_id,
        "iat": START,
        "exp": START + 500,
        "scope": "read",
    }


@pytest.mark.requirement("D03", "D09")
async def test_the_answer_is_json_and_never_stored(jeton: Running) -> None:
    response = await jeton.post("/oauth/introspect", jeton.add_client(), token="garbage")

    assert response.headers["content-type"] == "application/json"
    assert (response.headers["cache-control"], response.headers["pragma"]) == ("no-store", "no-cache")


@pytest.mark.requirement("D02")
@pytest.mark.parametrize("kind", ["refresh_token", "access_token"])
@pytest.mark.parametrize("hint", ["refresh_token", "access_token", "urn:example:unheard-of"])
async def test_the_hint_never_matters(jeton: Running, kind: str, hint: str) -> None:
    app = jeton.add_client()
    jeton.add_user()
    tokens = await jeton.log_in(app)

    assert (await jeton.introspect(app, tokens[kind], token_type_hint=hint))["active"] is True


@pytest.mark.requirement("D04", "D07")
@pytest.mark.parametrize(
    "token",
    ["garbage", "jrt_" + "A" * 76, "jrt_" + "_" * 75, "eyJhbGciOiJub25lIn0.e30.", "a.b.c", "\u00e9\u2713", "x" * 9000],
    ids=["garbage", "forged", "cut", "unsigned", "three parts", "not ASCII", "long"],
)
async def test_an_unknown_token_is_inactive_and_no_error(jeton: Running, token: str) -> None:
    app = jeton.add_client(introspect=True)

    assert await jeton.introspect(app, token) == INACTIVE


@pytest.mark.requirement("D04", "D08")
@pytest.mark.parametrize("kind", ["refresh_token", "access_token"])
async def test_a_token_with_one_character_changed_is_inactive(jeton: Running, kind: str) -> None:
    app = jeton.add_client()
    jeton.add_user()
    token = (await jeton.log_in(app))[kind]
    at = len(token) // 2
    changed = token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :]

    assert await jeton.introspect(app, changed) == INACTIVE


@pytest.mark.requirement("D08", "E08")
@pytest.mark.parametrize("tail", ["=", "A", ".", " ", "\n"])
@pytest.mark.parametrize("kind", ["refresh_token", "access_token"])
async def test_a_token_with_something_appended_is_inactive(jeton: Running, kind: str, tail: str) -> None:
    app = jeton.add_client()
    jeton.add_user()
    tokens = await jeton.log_in(app)

    assert await jeton.introspect(app, tokens[kind] + tail) == INACTIVE


# Who may know.


@pytest.mark.requirement("D06", "D08")
async def test_a_service_is_told_of_tokens_meant_for_it(jeton: Running) -> None:
    app, api = jeton.add_client(audience=(API,)), jeton.add_client("api", introspect=True, audience=(API,))
    user = jeton.add_user()
    tokens = await jeton.log_in(app)

    told = await jeton.introspect(api, tokens["access_token"])

    assert (told["active"], told["aud"], told["sub"], told["client_id"]) == (True, API, user.sub, app.client_id)


@pytest.mark.requirement("D08")
async def test_one_audience_in_common_is_enough(jeton: Running) -> None:
    app = jeton.add_client(audience=(API, "https://stock.example"))
    api = jeton.add_client("api", introspect=True, audience=("https://bills.example", API))
    jeton.add_user()
    tokens = await jeton.log_in(app)

    told = await jeton.introspect(api, tokens["access_token"])

    assert (told["active"], told["aud"]) == (True, [API, "https://stock.example"])


async def _token_for_the_api(jeton: Running, kind: str) -> str:
    jeton.add_user()
    tokens = await jeton.log_in(jeton.add_client("app", audience=(API,)))
    return str(tokens[kind])


@pytest.mark.requirement("D04", "D08")
@pytest.mark.parametrize(
    ("introspect", "audience"),
    [(False, (API,)), (True, ()), (True, ("https://stock.example",)), (True, (API + "/",)), (True, (API.upper(),))],
    ids=["not let in", "default audience", "other audience", "trailing slash", "upper case"],
)
async def test_everybody_else_hears_inactive_and_nothing_more(
    jeton: Running, introspect: bool, audience: tuple[str, ...]
) -> None:
    token = await _token_for_the_api(jeton, "access_token")
    other = jeton.add_client("other", introspect=introspect, audience=audience)

    assert await jeton.introspect(other, token) == INACTIVE


@pytest.mark.requirement("D04", "D08")
async def test_a_refresh_token_is_its_owner_s_alone(jeton: Running) -> None:
    token = await _token_for_the_api(jeton, "refresh_token")
    api = jeton.add_client("api", introspect=True, audience=(API,))

    assert await jeton.introspect(api, token) == INACTIVE


@pytest.mark.requirement("D08")
async def test_a_service_without_an_audience_of_its_own_reads_tokens_for_the_default_one(jeton: Running) -> None:
    app, api = jeton.add_client(), jeton.add_client("api", introspect=True)
    jeton.add_user()
    tokens = await jeton.log_in(app)

    assert (await jeton.introspect(api, tokens["access_token"]))["aud"] == ISSUER


@pytest.mark.requirement("D10")
@pytest.mark.parametrize("claims", [frozenset(), IDENTIFYING], ids=["without the claims", "with the claims"])
async def test_names_are_told_only_where_the_client_was_given_the_claim(jeton: Running, claims: frozenset[str]) -> None:
    app, api = jeton.add_client(claims=claims), jeton.add_client("api", introspect=True)
    jeton.add_user("Alice", email="alice@example.com")
    tokens = await jeton.log_in(app)

    told = await jeton.introspect(api, tokens["access_token"])

    expected = {"username": "Alice", "preferred_username": "Alice", "email": "alice@example.com"} if claims else {}
    assert {name: told[name] for name in ("username", "preferred_username", "email") if name in told} == expected


@pytest.mark.requirement("D10")
async def test_the_user_name_is_not_told_with_a_refresh_token(jeton: Running) -> None:
    app = jeton.add_client(claims=IDENTIFYING)
    jeton.add_user(email="alice@example.com")
    tokens = await jeton.log_in(app)

    told = await jeton.introspect(app, tokens["refresh_token"])

    assert told.keys().isdisjoint({"username", "preferred_username", "email"})


# Introspection changes nothing.


@pytest.mark.requirement("D04", "D05")
async def test_a_spent_refresh_token_is_inactive_and_asking_about_it_revokes_nothing(jeton: Running) -> None:
    app = jeton.add_client()
    jeton.add_user()
    first = await jeton.log_in(app)
    second = await jeton.refreshed(app, first["refresh_token"])

    assert await jeton.introspect(app, first["refresh_token"]) == INACTIVE
    assert (await jeton.introspect(app, second["access_token"]))["active"] is True
    assert (await jeton.refresh(app, second["refresh_token"])).status_code == 200


@pytest.mark.requirement("D05")
async def test_asking_about_a_refresh_token_does_not_spend_it(jeton: Running) -> None:
    app = jeton.add_client()
    jeton.add_user()
    tokens = await jeton.log_in(app)

    before = await jeton.introspect(app, tokens["refresh_token"])
    jeton.clock.advance(60)

    assert await jeton.introspect(app, tokens["refresh_token"]) == before
    assert (await jeton.refresh(app, tokens["refresh_token"])).status_code == 200


@pytest.mark.requirement("D04")
async def test_a_token_of_another_issuer_is_inactive_though_its_key_is_ours(jeton: Running) -> None:
    app = await _app_with_foreign_issuer(jeton)

    assert await jeton.introspect(*app) == INACTIVE


async def _app_with_foreign_issuer(jeton: Running) -> tuple[App, str]:
    """A token that differs from a good one in nothing but `iss`."""
    app, now = jeton.add_client(), jeton.clock.now()
    claims = {"iss": "https://other.example", "sub": app.client_id, "aud": ISSUER, "client_id": app.client_id}
    times = {"iat": now, "exp": now + 600, "jti": "made-up"}
    return app, jeton.keyring.signer.sign(claims | times)
