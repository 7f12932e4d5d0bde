"""RFC 6749 section 2.3.1: which method a client may use, two secrets while one is replaced, and what nobody learns."""

from base64 import b64encode
from collections.abc import Awaitable, Callable

import httpx2
import pytest

from jeton.crypto.credentials import digest_secret
from jeton.storage.clients import delete_client
from support.in_process_server import START, App, Running

BASIC, POST = "client_secret_basic", "client_secret_post"
GRANT = {"grant_type": "client_credentials"}
Ask = Callable[[Running, str, str], Awaitable[httpx2.Response]]


async def by_basic(jeton: Running, client_id: str, secret: str) -> httpx2.Response:
    header = "Basic " + b64encode(f"{client_id}:{secret}".encode()).decode()
    return await jeton.http.post("/oauth/token", data=GRANT, headers={"Authorization": header})


async def by_post(jeton: Running, client_id: str, secret: str) -> httpx2.Response:
    return await jeton.http.post("/oauth/token", data=GRANT | {"client_id": client_id, "client_secret": secret})


def everything(response: httpx2.Response) -> tuple[int, list[tuple[str, str]], bytes]:
    """All that a caller can see of an answer."""
    return response.status_code, sorted(response.headers.multi_items()), response.content


@pytest.mark.requirement("A37", "A40", "N15")
@pytest.mark.parametrize("ask", [by_basic, by_post], ids=["basic", "post"])
async def test_every_way_to_fail_gives_the_same_bytes(jeton: Running, ask: Ask) -> None:
    other_method = frozenset({POST if ask is by_basic else BASIC})
    jeton.add_client("known")
    jeton.add_client("disabled", disabled=True, secret_digest=digest_secret("right"))
    jeton.add_client("restricted", auth_methods=other_method, secret_digest=digest_secret("right"))
    jeton.add_client("spa", public=True)
    jeton.add_client("secretless", secret_digest=None)

    answers = {
        name: everything(await ask(jeton, name, secret))
        for name, secret in {
            "unknown": "x",
            "known": "wrong",
            "disabled": "right",
            "restricted": "right",
            "spa": "x",
            "secretless": "x",
            "x" * 129: "x",
        }.items()
    }

    assert len({repr(answer) for answer in answers.values()}) == 1
    assert answers["unknown"][0] == 401


@pytest.mark.requirement("A06", "A10", "K06")
@pytest.mark.parametrize(
    ("methods", "basic_status", "post_status"),
    [({BASIC, POST}, 200, 200), ({BASIC}, 200, 401), ({POST}, 401, 200), (set(), 401, 401)],
    ids=["both", "basic", "post", "none"],
)
async def test_a_client_may_use_its_own_methods_only(
    jeton: Running, methods: set[str], basic_status: int, post_status: int
) -> None:
    jeton.add_client("web", auth_methods=frozenset(methods), secret_digest=digest_secret("secret"))

    assert (await by_basic(jeton, "web", "secret")).status_code == basic_status
    assert (await by_post(jeton, "web", "secret")).status_code == post_status


@pytest.mark.requirement("A10")
async def test_a_method_that_is_taken_away_is_refused_from_then_on(jeton: Running) -> None:
    jeton.add_client("web", secret_digest=digest_secret("secret"))
    jeton.set_client("web", auth_methods=frozenset({BASIC}))

    assert (await by_post(jeton, "web", "secret")).status_code == 401


@pytest.mark.requirement("O14")
@pytest.mark.parametrize(("after", "old_status"), [(0, 200), (59, 200), (60, 401), (61, 401)])
async def test_the_old_secret_is_good_until_its_overlap_ends(jeton: Running, after: int, old_status: int) -> None:
    jeton.add_client(
        "web",
        secret_digest=digest_secret("new"),
        previous_secret_digest=digest_secret("old"),
        previous_secret_expires_at=START + 60,
    )
    jeton.clock.advance(after)

    assert (await by_basic(jeton, "web", "old")).status_code == old_status
    assert (await by_basic(jeton, "web", "new")).status_code == 200
    assert (await by_basic(jeton, "web", "older")).status_code == 401


@pytest.mark.requirement("O14")
async def test_without_overlap_the_old_secret_ends_at_once(jeton: Running) -> None:
    app = jeton.add_client()
    assert app.secret is not None
    jeton.set_client(app.client_id, secret_digest=digest_secret("new"))

    assert (await by_basic(jeton, app.client_id, app.secret)).status_code == 401
    assert (await by_basic(jeton, app.client_id, "new")).status_code == 200


@pytest.mark.requirement("O14")
async def test_an_old_secret_without_an_end_is_not_accepted(jeton: Running) -> None:
    jeton.add_client("web", secret_digest=digest_secret("new"), previous_secret_digest=digest_secret("old"))

    assert (await by_basic(jeton, "web", "old")).status_code == 401


@pytest.mark.requirement("A41", "O14")
async def test_sessions_live_through_a_change_of_secret(jeton: Running) -> None:
    app = jeton.add_client()
    jeton.add_user()
    tokens = await jeton.log_in(app)
    jeton.set_client(app.client_id, secret_digest=digest_secret("new"))

    assert (await jeton.refresh(app, tokens["refresh_token"])).status_code == 401
    assert await jeton.refreshed(App(app.client, "new"), tokens["refresh_token"])


@pytest.mark.requirement("A37", "O03")
async def test_a_disabled_client_is_refused_until_it_is_enabled_again(jeton: Running) -> None:
    app = jeton.add_client()
    jeton.add_user()
    tokens = await jeton.log_in(app)
    jeton.set_client(app.client_id, disabled=True)

    for answer in (
        await jeton.token(app, grant_type="client_credentials"),
        await jeton.token(app, grant_type="password", username="alice", password="x"),
        await jeton.refresh(app, tokens["refresh_token"]),
    ):
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")

    jeton.set_client(app.client_id, disabled=False)
    assert await jeton.refreshed(app, tokens["refresh_token"])


@pytest.mark.requirement("A16", "A37")
async def test_a_deleted_client_that_is_registered_again_has_a_new_secret(jeton: Running) -> None:
    # Only an id that is a URL can be registered again.
    before = jeton.add_client("https://app.example/client.json")
    jeton.add_user()
    tokens = await jeton.log_in(before)
    with jeton.database.write() as connection:
        delete_client(connection, before.client_id)
    after = jeton.add_client(before.client_id)

    assert (await jeton.token(before, grant_type="client_credentials")).status_code == 401
    assert (await jeton.refresh(after, tokens["refresh_token"])).json()["error"] == "invalid_grant"
