"""Races over one DPoP proof on two servers (RFC 9449 section 11.1): one request passes."""

import asyncio
from typing import Any

import pytest

from support.dpop import DpopKey
from support.in_process_server import ISSUER, PASSWORD, App
from support.lock_contention import Nodes
from support.responses import outcomes

KEY = DpopKey()


async def log_in(nodes: Nodes, app: App) -> dict[str, Any]:
    form = {"grant_type": "password", "username": "alice", "password": PASSWORD}
    return dict((await nodes[0].token(app, {"DPoP": KEY.proof()}, **form)).json())


@pytest.mark.requirement("DP05", "L17")
async def test_of_32_requests_at_once_with_one_proof_one_is_answered(nodes: Nodes) -> None:
    app, _ = nodes[0].add_client(scope=frozenset({"account"})), nodes[0].add_user()
    nodes[1].shared_state.refresh()
    for _ in range(10):
        proof = {"DPoP": KEY.proof()}
        issued = await asyncio.gather(
            *(nodes[at % 2].token(app, proof, grant_type="client_credentials") for at in range(32))
        )
        assert outcomes(issued) == {(200, None): 1, (400, "invalid_dpop_proof"): 31}

        headers = KEY.headers("GET", ISSUER + "/account", (await log_in(nodes, app))["access_token"])
        shown = await asyncio.gather(*(nodes[at % 2].http.get("/account", headers=headers) for at in range(32)))
        assert outcomes(shown) == {(200, None): 1, (401, "invalid_dpop_proof"): 31}


@pytest.mark.requirement("DP05", "DP20", "L17")
async def test_of_32_refreshes_at_once_with_one_proof_one_is_answered_and_the_session_lives(nodes: Nodes) -> None:
    app, _ = nodes[0].add_client(public=True), nodes[0].add_user()
    nodes[1].shared_state.refresh()
    token = (await log_in(nodes, app))["refresh_token"]
    for _ in range(10):
        proof = {"DPoP": KEY.proof()}

        responses = await asyncio.gather(
            *(nodes[at % 2].token(app, proof, grant_type="refresh_token", refresh_token=token) for at in range(32))
        )

        assert outcomes(responses) == {(200, None): 1, (400, "invalid_dpop_proof"): 31}
        token = next(it for it in responses if it.status_code == 200).json()["refresh_token"]
