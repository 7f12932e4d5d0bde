"""A lost answer: the same refresh again, by Idempotency-Key or within the client's grace (RFC 9700 section 4.14.2)."""

from typing import Any

import httpx2
import pytest

from support.in_process_server import App, Running


@pytest.fixture
def app(jeton: Running) -> App:
    jeton.add_user()
    return jeton.add_client()


@pytest.fixture
def forgiving(jeton: Running) -> App:
    """A client that cannot send the header, and is given half a minute."""
    jeton.add_user("bob")
    return jeton.add_client("forgiving", lifetimes={"retry_grace_seconds": 30})


def tokens_of(response: httpx2.Response) -> tuple[Any, Any]:
    assert response.status_code == 200, response.text
    return response.json()["access_token"], response.json()["refresh_token"]


def outcome(response: httpx2.Response) -> tuple[int, str | None]:
    return response.status_code, response.json().get("error")


@pytest.mark.requirement("I08")
@pytest.mark.parametrize("after", [0, 1, 120])
async def test_the_same_key_gets_the_very_same_tokens(jeton: Running, app: App, after: int) -> None:
    token = (await jeton.log_in(app))["refresh_token"]
    first = await jeton.refresh(app, token, "key")
    jeton.clock.advance(after)

    assert tokens_of(await jeton.refresh(app, token, "key")) == tokens_of(first)


@pytest.mark.requirement("I08")
async def test_a_repeated_answer_is_the_same_answer_to_the_last_byte(jeton: Running, app: App) -> None:
    token = (await jeton.log_in(app))["refresh_token"]
    first = await jeton.refresh(app, token, "key")
    jeton.clock.advance(100)

    repeated = await jeton.refresh(app, token, "key")

    assert repeated.content == first.content


@pytest.mark.requirement("I08")
async def test_after_a_repetition_the_session_goes_on(jeton: Running, app: App) -> None:
    token = (await jeton.log_in(app))["refresh_token"]
    await jeton.refresh(app, token, "key")
    successor = tokens_of(await jeton.refresh(app, token, "key"))[1]

    assert await jeton.refreshed(app, successor)


@pytest.mark.requirement("I08")
@pytest.mark.parametrize(
    ("key", "more", "after"),
    [
        pytest.param("key", {}, 121, id="too late"),
        pytest.param("other", {}, 1, id="another key"),
        pytest.param("KEY", {}, 1, id="another case"),
        pytest.param("keys", {}, 1, id="a longer key"),
        pytest.param(None, {}, 1, id="no key"),
        pytest.param("key", {"scope": "read"}, 1, id="another scope"),
    ],
)
async def test_any_other_repetition_is_a_replay(
    jeton: Running, app: App, key: str | None, more: dict[str, str], after: int
) -> None:
    token = (await jeton.log_in(app))["refresh_token"]
    successor = tokens_of(await jeton.refresh(app, token, "key"))[1]
    jeton.clock.advance(after)

    form = {"grant_type": "refresh_token", "refresh_token": token} | more
    headers = [] if key is None else [(b"Idempotency-Key", key.encode())]
    replay = await jeton.http.post("/oauth/token", data=form, headers=headers, auth=app.auth or ("", ""))

    assert outcome(replay) == (400, "invalid_grant")
    assert outcome(await jeton.refresh(app, successor)) == (400, "invalid_grant")


@pytest.mark.requirement("I08")
async def test_a_key_is_no_help_once_the_successor_was_presented(jeton: Running, app: App) -> None:
    token = (await jeton.log_in(app))["refresh_token"]
    successor = tokens_of(await jeton.refresh(app, token, "key"))[1]
    newest = (await jeton.refreshed(app, successor))["refresh_token"]

    assert outcome(await jeton.refresh(app, token, "key")) == (400, "invalid_grant")
    assert outcome(await jeton.refresh(app, newest)) == (400, "invalid_grant")


@pytest.mark.requirement("I08")
async def test_one_key_for_every_refresh_makes_no_replay_of_an_older_token(jeton: Running, app: App) -> None:
    first = (await jeton.log_in(app))["refresh_token"]
    second = tokens_of(await jeton.refresh(app, first, "key"))[1]
    third = tokens_of(await jeton.refresh(app, second, "key"))[1]

    assert tokens_of(await jeton.refresh(app, second, "key"))[1] == third
    assert outcome(await jeton.refresh(app, first, "key")) == (400, "invalid_grant")


@pytest.mark.requirement("I08", "O03")
async def test_a_key_does_not_undo_a_revocation(jeton: Running, app: App) -> None:
    token = (await jeton.log_in(app))["refresh_token"]
    successor = tokens_of(await jeton.refresh(app, token, "key"))[1]
    await jeton.revoke(app, successor)

    assert outcome(await jeton.refresh(app, token, "key")) == (400, "invalid_grant")


@pytest.mark.requirement("A46", "I08")
async def test_a_key_is_the_client_s_own(jeton: Running, app: App) -> None:
    other = jeton.add_client("other")
    token = (await jeton.log_in(app))["refresh_token"]
    successor = tokens_of(await jeton.refresh(app, token, "key"))[1]

    assert outcome(await jeton.refresh(other, token, "key")) == (400, "invalid_grant")
    assert await jeton.refreshed(app, successor)


@pytest.mark.requirement("A43", "I08")
async def test_a_narrowed_refresh_is_repeated_as_narrow(jeton: Running, app: App) -> None:
    token = (await jeton.log_in(app))["refresh_token"]
    first = await jeton.refresh(app, token, "key", scope="read")
    repeated = await jeton.refresh(app, token, "key", scope="read")

    assert tokens_of(repeated) == tokens_of(first)
    assert repeated.json()["scope"] == "read"


@pytest.mark.requirement("O16")
async def test_a_key_says_nothing_at_the_other_grants(jeton: Running, app: App) -> None:
    form = {"grant_type": "client_credentials"}
    first = await jeton.token(app, {"Idempotency-Key": "key"}, **form)
    second = await jeton.token(app, {"Idempotency-Key": "key"}, **form)

    assert first.json()["access_token"] != second.json()["access_token"]


@pytest.mark.requirement("I08")
async def test_without_grace_a_repetition_is_a_replay_at_once(jeton: Running, app: App) -> None:
    token = (await jeton.log_in(app))["refresh_token"]
    await jeton.refreshed(app, token)

    assert outcome(await jeton.refresh(app, token)) == (400, "invalid_grant")


@pytest.mark.requirement("I08")
@pytest.mark.parametrize(("after", "granted"), [(0, True), (29, True), (30, False)])
async def test_grace_is_for_so_many_seconds_after_the_rotation(
    jeton: Running, forgiving: App, after: int, granted: bool
) -> None:
    token = (await jeton.log_in(forgiving, "bob"))["refresh_token"]
    first = await jeton.refresh(forgiving, token)
    jeton.clock.advance(after)

    repeated = await jeton.refresh(forgiving, token)

    assert outcome(repeated) == ((200, None) if granted else (400, "invalid_grant"))
    assert not granted or tokens_of(repeated) == tokens_of(first)


@pytest.mark.requirement("I08")
async def test_repeating_within_grace_does_not_extend_it(jeton: Running, forgiving: App) -> None:
    token = (await jeton.log_in(forgiving, "bob"))["refresh_token"]
    await jeton.refreshed(forgiving, token)
    jeton.clock.advance(20)
    await jeton.refreshed(forgiving, token)
    jeton.clock.advance(10)

    assert outcome(await jeton.refresh(forgiving, token)) == (400, "invalid_grant")


@pytest.mark.requirement("I08")
async def test_grace_is_for_a_few_repetitions_only(jeton: Running, forgiving: App) -> None:
    token = (await jeton.log_in(forgiving, "bob"))["refresh_token"]
    await jeton.refreshed(forgiving, token)

    statuses = [(await jeton.refresh(forgiving, token)).status_code for _ in range(6)]

    assert statuses == [200] * 5 + [400]


@pytest.mark.requirement("I08")
async def test_grace_is_for_the_direct_parent_only(jeton: Running, forgiving: App) -> None:
    first = (await jeton.log_in(forgiving, "bob"))["refresh_token"]
    second = (await jeton.refreshed(forgiving, first))["refresh_token"]
    third = (await jeton.refreshed(forgiving, second))["refresh_token"]

    assert outcome(await jeton.refresh(forgiving, first)) == (400, "invalid_grant")
    assert outcome(await jeton.refresh(forgiving, third)) == (400, "invalid_grant")


@pytest.mark.requirement("I08", "O03")
async def test_grace_does_not_undo_a_revocation(jeton: Running, forgiving: App) -> None:
    token = (await jeton.log_in(forgiving, "bob"))["refresh_token"]
    successor = (await jeton.refreshed(forgiving, token))["refresh_token"]
    await jeton.revoke(forgiving, successor)

    assert outcome(await jeton.refresh(forgiving, token)) == (400, "invalid_grant")


@pytest.mark.requirement("I06", "I08")
async def test_one_client_s_grace_is_not_another_s(jeton: Running, app: App, forgiving: App) -> None:
    token = (await jeton.log_in(app))["refresh_token"]
    await jeton.refreshed(app, token)

    assert forgiving.client.lifetimes["retry_grace_seconds"] == 30
    assert outcome(await jeton.refresh(app, token)) == (400, "invalid_grant")
