"""First consents to clients by metadata document, at the same time on two servers: one row, and no deadlock."""

import asyncio

import pytest

from jeton.admin import clients as administration
from jeton.admin.client_changes import ClientChanges
from jeton.admin.errors import AlreadyExistsError
from jeton.frozen import replace
from jeton.oauth.clients import Client
from jeton.storage.clients import save_clients
from jeton.storage.identifiers import IdentifierUsedError
from support.authorization_codes import GRANTS, SignedIn, redeem, sign_in
from support.builders import CALLBACK
from support.in_process_server import App, Running
from support.lock_contention import Nodes

SCOPE = frozenset({"read", "admin"})


@pytest.fixture
def nodes(nodes: Nodes) -> Nodes:
    """Servers that apply the ceiling before there are clients beyond it, and not during a test."""
    for node in nodes:
        node.shared_state.apply_ceiling()
    return nodes


def described(url: str = "https://app.example/client.json", **fields: object) -> App:
    """Return a client as in its metadata document, without a row in the database."""
    client = Client(
        url,
        True,
        0,
        grant_types=GRANTS,
        scope=frozenset({"read"}),
        audience=("https://api.example",),
        redirect_uris=frozenset({CALLBACK}),
        registration="metadata_document",
        metadata_digest=b"digest",
    )
    return App(replace(client, **fields))


def on(node: Running, person: SignedIn) -> SignedIn:
    return replace(person, node=node)


@pytest.mark.requirement("CI15")
async def test_many_first_consents_make_one_row(nodes: Nodes) -> None:
    people = [sign_in(nodes[0], f"user{number}") for number in range(16)]
    app = described()
    codes = await asyncio.gather(*(on(nodes[number % 2], it).code(app) for number, it in enumerate(people)))
    assert [it.client_id for it in nodes[0].clients()] == [app.client_id]
    answers = await asyncio.gather(*(redeem(nodes[1], app, code) for code in codes))
    assert {it.status_code for it in answers} == {200}


async def test_concurrently_changing_documents_do_not_deadlock(nodes: Nodes) -> None:
    people = [sign_in(nodes[0], f"user{number}") for number in range(16)]
    urls = ["https://a.example/client", "https://b.example/client"]
    for round_number in range(5):
        # Each server has read other versions of the documents, and stores both clients in each transaction.
        await asyncio.gather(
            *(
                on(nodes[number % 2], person).code(
                    described(urls[number // 2 % 2], metadata_digest=bytes([round_number, number % 2]))
                )
                for number, person in enumerate(people)
            )
        )
    assert [it.client_id for it in nodes[0].clients()] == urls


@pytest.mark.requirement("CI10")
async def test_administrator_who_adds_the_client_at_that_moment_keeps_it(nodes: Nodes) -> None:
    people = [sign_in(nodes[0], f"user{number}") for number in range(8)]
    for round_number in range(5):
        app = described(f"https://app.example/{round_number}")

        def add(app: App = app) -> None:
            with nodes[1].database.write() as connection:
                changes = ClientChanges(scope=SCOPE, first_party=True)
                administration.register(connection, nodes[1].clock.now(), app.client_id, changes)

        results = await asyncio.gather(
            *(on(nodes[number % 2], it).code(app) for number, it in enumerate(people)),
            asyncio.to_thread(add),
            return_exceptions=True,
        )
        failures = [it for it in results if isinstance(it, BaseException)]
        client = next(it for it in nodes[0].clients() if it.client_id == app.client_id)
        assert all(isinstance(it, (AlreadyExistsError, IdentifierUsedError)) for it in failures), failures
        expected = ("metadata_document", frozenset({"read"})) if failures else ("administrator", SCOPE)
        assert (client.registration, client.scope) == expected


@pytest.mark.requirement("CI10")
async def test_row_of_an_administrator_is_not_replaced_by_one_for_a_client_without_a_row(nodes: Nodes) -> None:
    app = described()
    added = nodes[0].add_client(app.client_id, public=True, scope=SCOPE).client
    with nodes[0].database.write() as connection:
        save_clients(connection, [app.client])
    assert nodes[0].clients() == [added]
