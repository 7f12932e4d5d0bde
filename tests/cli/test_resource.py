"""jeton resource: register, change, delete and list resources (the values of the parameter `resource`)."""

import pytest

from support.cli_runner import CommandLine
from support.in_process_server import START

API = "https://api.example/v1"


def test_a_resource_is_added_changed_listed_and_deleted(cli: CommandLine) -> None:
    added = cli.json("resource", "add", API, "--name", "Orders", "--scope", "write", "--scope", "read")

    assert added == {"uri": API, "name": "Orders", "scope": ["read", "write"], "open": False, "created_at": START}
    assert cli.json("resource", "set", API, "--open") == added | {"open": True}
    changed = cli.json("resource", "set", API, "--no-open", "--name", "Shop", "--scope", "read")
    assert changed == added | {"name": "Shop", "scope": ["read"]}
    assert cli.json("resource", "set", API) == changed
    assert cli.json("resource", "list") == [changed]
    assert cli.json("resource", "delete", API) == {"uri": API, "deleted": True}
    assert cli.json("resource", "list") == []


def test_a_resource_without_a_name_is_named_by_its_uri(cli: CommandLine) -> None:
    assert cli.json("resource", "add", API)["name"] == API


@pytest.mark.requirement("RI01", "RI08")
@pytest.mark.parametrize(
    ("words", "advice"),
    [
        (("api",), "absolute URI"),
        (("https://api.example/#x",), "absolute URI"),
        ((API, "--scope", "two words"), "is not a scope"),
        ((API, "--scope", "s" * 1201), "1200 bytes"),
        ((API, "--name", ""), "name"),
        ((API, "--name", "x" * 101), "name"),
        (("https://taken.example",), "jeton resource set"),
        (("https://taken.example/",), "jeton resource set"),
    ],
)
def test_other_resources_are_refused(cli: CommandLine, words: tuple[str, ...], advice: str) -> None:
    cli.text("resource", "add", "https://taken.example")

    assert advice in cli.refused("resource", "add", *words)
    assert len(cli.json("resource", "list")) == 1


@pytest.mark.parametrize("command", ["set", "delete"])
def test_an_unknown_resource_is_refused_with_advice(cli: CommandLine, command: str) -> None:
    assert "jeton resource list" in cli.refused("resource", command, API)


@pytest.mark.requirement("RI06")
def test_a_resource_that_clients_may_use_is_not_deleted(cli: CommandLine) -> None:
    cli.text("resource", "add", API)
    cli.text("client", "add", "web", "--resource", API)

    assert "web" in cli.refused("resource", "delete", API)

    cli.text("client", "set", "web", "--clear", "resource")
    cli.text("resource", "delete", API)
