"""RFC 6749 section 6 and RFC 9700 section 4.14: refreshing, rotation, and what a replay does."""

from running import Running


async def test_a_refresh_gives_a_new_pair_of_tokens(jeton: Running) -> None:
    app = jeton.add_client()
    jeton.add_user()
    first = await jeton.log_in(app)

    second = await jeton.refreshed(app, first["refresh_token"])

    assert second["refresh_token"] != first["refresh_token"]
    assert second["access_token"] != first["access_token"]
    assert (await jeton.introspect(app, second["access_token"]))["active"] is True


async def test_a_replayed_token_ends_the_whole_family(jeton: Running) -> None:
    app = jeton.add_client()
    jeton.add_user()
    first = await jeton.log_in(app)
    second = await jeton.refreshed(app, first["refresh_token"])

    replay = await jeton.refresh(app, first["refresh_token"])

    assert (replay.status_code, replay.json()["error"]) == (400, "invalid_grant")
    after = await jeton.refresh(app, second["refresh_token"])
    assert (after.status_code, after.json()["error"]) == (400, "invalid_grant")
    assert await jeton.introspect(app, second["access_token"]) == {"active": False}
