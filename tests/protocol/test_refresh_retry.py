"""A lost answer: the same refresh again, by Idempotency-Key or in the client's grace period (RFC 9700 4.14.2).

Which repetitions are permitted is decided, and tested, in oauth/refresh_rotation.py.
"""

import pytest

from support.in_process_server import App, Running
from support.responses import outcome

REFUSED = (400, "invalid_grant")


@pytest.fixture
def app(jeton: Running) -> App:
    jeton.add_user()
    return jeton.add_client()


@pytest.mark.both_databases
@pytest.mark.requirement("A43", "I08")
@pytest.mark.parametrize(("after", "scope"), [(0, "read write"), (300, "read write"), (1, "read")])
async def test_same_request_with_the_same_key_gets_the_same_answer_and_the_session_goes_on(
    jeton: Running, app: App, after: int, scope: str
) -> None:
    token = (await jeton.log_in(app))["refresh_token"]
    first = await jeton.refresh(app, token, "key", scope=scope)
    jeton.clock.advance(after)

    repeated = await jeton.refresh(app, token, "key", scope=scope)

    assert (repeated.status_code, repeated.content) == (200, first.content)
    assert repeated.json()["scope"] == scope
    assert await jeton.refreshed(app, repeated.json()["refresh_token"])
    assert outcome(await jeton.refresh(app, token, "key", scope=scope)) == REFUSED


@pytest.mark.requirement("I08")
@pytest.mark.parametrize(
    ("key", "more", "after"),
    [
        pytest.param("key", {}, 301, id="too late"),
        pytest.param("KEY", {}, 1, id="another case"),
        pytest.param(None, {}, 1, id="no key"),
        pytest.param("key", {"scope": "read"}, 1, id="another scope"),
    ],
)
async def test_any_other_repetition_is_a_replay(
    jeton: Running, app: App, key: str | None, more: dict[str, str], after: int
) -> None:
    token = (await jeton.log_in(app))["refresh_token"]
    successor = (await jeton.refresh(app, token, "key")).json()["refresh_token"]
    jeton.clock.advance(after)

    assert outcome(await jeton.refresh(app, token, key, **more)) == REFUSED
    assert outcome(await jeton.refresh(app, successor)) == REFUSED


@pytest.mark.requirement("O16")
async def test_key_has_no_meaning_for_other_grants(jeton: Running, app: App) -> None:
    headers = {"Idempotency-Key": "key"}
    answers = [await jeton.token(app, headers, grant_type="client_credentials") for _ in range(2)]

    assert answers[0].json()["access_token"] != answers[1].json()["access_token"]


@pytest.mark.both_databases
@pytest.mark.requirement("I06", "I08")
async def test_grace_period_of_a_client_permits_five_repetitions_without_key(jeton: Running, app: App) -> None:
    forgiving = jeton.add_client("forgiving", lifetimes={"retry_grace_seconds": 30})
    spent, strict = [(await jeton.log_in(it))["refresh_token"] for it in (forgiving, app)]
    first = await jeton.refresh(forgiving, spent)
    await jeton.refreshed(app, strict)
    jeton.clock.advance(29)

    assert outcome(await jeton.refresh(app, strict)) == REFUSED
    for _ in range(5):
        assert (await jeton.refresh(forgiving, spent)).content == first.content
    assert outcome(await jeton.refresh(forgiving, spent)) == REFUSED
    assert outcome(await jeton.refresh(forgiving, first.json()["refresh_token"])) == REFUSED
