"""jeton outbox: logout tokens that were delivered or failed, and repeated delivery."""

import pytest

from support.cli_runner import CommandLine
from support.in_process_server import Running
from support.logout_receiver import add_logouts, add_receiving_app, deliver, logout_receiver

pytestmark = pytest.mark.requirement("LO23")


@pytest.mark.parametrize("how", [("browser",), ("--client", "shop"), ("--all",)])
async def test_failure_is_listed_and_sent_again(cli: CommandLine, jeton: Running, how: tuple[str, ...]) -> None:
    async with logout_receiver("400 Bad Request", "204 No Content") as receiver:
        add_receiving_app(jeton, "shop", receiver.uri)
        add_logouts(jeton, "shop", "browser")
        await deliver(jeton)
        now = jeton.clock.now()
        (failed,) = cli.json("outbox", "list", "--client", "shop")
        assert failed == {
            "browser_session_id": "browser",
            "client_id": "shop",
            "sub": "u_1",
            "state": "failed",
            "attempts": 1,
            "last_status": "400",
            "next_attempt_at": None,
            "created_at": now,
            "delivered_at": None,
            "expires_at": now + 9999,
        }

        assert cli.json("outbox", "retry", *how) == {"logout_tokens_due": 1}
        (pending,) = cli.json("outbox", "list")
        assert (pending["state"], pending["attempts"], pending["next_attempt_at"]) == ("pending", 0, now)
        await deliver(jeton)

    (delivered,) = cli.json("outbox", "list")
    assert (delivered["state"], delivered["last_status"], delivered["delivered_at"]) == ("delivered", "204", now)
    assert cli.json("outbox", "retry", "--all") == {"logout_tokens_due": 0}


async def test_only_what_was_chosen_is_sent_again(cli: CommandLine, jeton: Running) -> None:
    for client_id in ("one", "two"):
        add_receiving_app(jeton, client_id, "http://127.0.0.1:9/")
        add_logouts(jeton, client_id, "here", "there")
    await deliver(jeton)

    for chosen, number in ((("here",), 2), (("--client", "one"), 2), (("--all",), 4)):
        assert cli.json("outbox", "retry", *chosen) == {"logout_tokens_due": number}


def test_unknown_deliveries_are_refused(cli: CommandLine) -> None:
    assert "unknown" in cli.refused("outbox", "retry", "unknown")
    assert "client" in cli.refused("outbox", "retry", "--client", "unknown")
    assert "client" in cli.refused("outbox", "list", "--client", "unknown")
