"""Races over the logout outbox: each client is notified once, even if several servers end the session or send."""

import asyncio
from collections import Counter

import pytest

from jeton.oauth.sessions import Source
from support.authorization_codes import sign_in
from support.cli_functions import configured_for, disable_user
from support.lock_contention import Contention, Nodes, race_in_round
from support.logout_receiver import add_logouts, add_receiving_app, deliver, logout_receiver, outbox

CLIENTS = [f"client{number}" for number in range(10)]
ROUNDS = 10


@pytest.mark.requirement("LO23", "O16")
async def test_two_senders_deliver_each_logout_once(nodes: Nodes) -> None:
    async with logout_receiver() as receiver:
        for client_id in CLIENTS:
            add_receiving_app(nodes[0], client_id, receiver.uri)
        for number in range(ROUNDS):
            for client_id in CLIENTS:
                add_logouts(nodes[0], client_id, f"browser{number}", f"other{number}")
            await asyncio.gather(*map(deliver, nodes))

    assert {it.state for it in outbox(nodes[0])} == {"delivered"}
    assert Counter(it["sid"] for it in receiver.claims).most_common(1)[0][1] == 1
    assert len(receiver.claims) == ROUNDS * len(CLIENTS) * 2


@pytest.mark.requirement("LO24", "O16")
async def test_session_that_is_ended_twice_at_once_is_notified_once(
    nodes: Nodes, contention: Contention, database_url: str
) -> None:
    app = add_receiving_app(nodes[0], "shop", "https://shop.example/out")
    with configured_for(database_url):
        for number in range(ROUNDS):
            signed_in = sign_in(nodes[0], f"user{number}")
            await signed_in.code(app)
            session = signed_in.browser_session
            login = nodes[1].server.parts.logins.by_browser
            signing_out = login.sign_out(session, "signed_out", Source("192.0.2.1", "a browser"))
            disabling = disable_user(signed_in.user.username)

            await race_in_round(number, contention, "user", session.sub, signing_out, disabling)

            assert len(outbox(nodes[0])) == number + 1
