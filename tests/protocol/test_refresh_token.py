"""Refreshing: rotation, what a replay ends, and lost answers (RFC 6749 section 6, RFC 9700 section 4.14)."""

from typing import Any

import pytest

from support.in_process_server import App, Running
from support.responses import outcome

REFUSED = (400, "invalid_grant")
both_kinds_of_client = pytest.mark.parametrize("public", [False, True], ids=["confidential", "public"])


async def refreshed_times(jeton: Running, app: App, times: int) -> list[dict[str, Any]]:
    """Log in, and refresh this number of times. Return all token responses in the order of their issue."""
    issued = [await jeton.log_in(app)]
    for _ in range(times):
        issued.append(await jeton.refreshed(app, issued[-1]["refresh_token"]))
    return issued


@pytest.mark.both_databases
@pytest.mark.requirement("A44", "G04", "I05", "K03", "O01")
async def test_refresh_issues_new_tokens_of_the_same_session_and_ends_no_access_token(jeton: Running, app: App) -> None:
    first, of_another_session = await jeton.log_in(app), await jeton.log_in(app)
    second = await jeton.refreshed(app, first["refresh_token"])
    issued = (first, second, of_another_session)
    told = [await jeton.introspect(app, it["access_token"]) for it in issued]

    assert [it["active"] for it in told] == [True, True, True]
    assert told[0]["sid"] == told[1]["sid"] != told[2]["sid"]
    assert len({it["jti"] for it in told}) == len({it["refresh_token"] for it in issued}) == 3


@pytest.mark.both_databases
@both_kinds_of_client
@pytest.mark.requirement("A47", "I05", "I08", "K03", "O08")
@pytest.mark.parametrize(
    ("replayed", "scope"),
    [(0, None), (2, None), (2, "admin")],
    ids=["the first token", "the parent", "the parent, with too much scope"],
)
async def test_replay_of_any_earlier_token_ends_the_session_and_no_other(
    jeton: Running, public: bool, replayed: int, scope: str | None
) -> None:
    jeton.add_user()
    app, api = jeton.add_client(public=public), jeton.add_client("api", introspect=True)
    [laptop], phone = await refreshed_times(jeton, app, 0), await refreshed_times(jeton, app, 3)

    await jeton.refresh(app, phone[replayed]["refresh_token"], **({"scope": scope} if scope else {}))

    assert outcome(await jeton.refresh(app, phone[-1]["refresh_token"])) == REFUSED
    assert [await jeton.introspect(api, it["access_token"]) for it in phone] == [{"active": False}] * 4
    assert await jeton.refreshed(app, laptop["refresh_token"])
    assert await jeton.log_in(app)


# A lost answer: the same refresh again, by Idempotency-Key or in the grace period of the client (RFC 9700 4.14.2).
# Which repetitions are permitted is decided, and tested, in oauth/refresh_rotation.py; many at once are in
# storage/test_session_races.py, with and without grace period.


@pytest.mark.both_databases
@pytest.mark.requirement("A43", "I08")
@pytest.mark.parametrize(("after", "scope"), [(0, "read write"), (300, "read write"), (1, "read")])
async def test_same_request_with_the_same_key_gets_the_same_answer_and_ends_no_session(
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


@pytest.mark.requirement("O16")
async def test_key_has_no_meaning_for_other_grants(jeton: Running, app: App) -> None:
    headers = {"Idempotency-Key": "key"}
    answers = [await jeton.token(app, headers, grant_type="client_credentials") for _ in range(2)]

    assert answers[0].json()["access_token"] != answers[1].json()["access_token"]
