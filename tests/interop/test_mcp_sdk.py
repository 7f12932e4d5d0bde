"""The Python SDK of MCP, as a client that was registered by command: from a 401 to a call with a token."""

import httpx2
import pytest

from interop.live_server import Live


@pytest.mark.requirement("MC05", "MC06", "MC13", "RA07", "RA08", "RR03", "CO12")
async def test_client_gets_a_token_for_the_resource_that_asked_for_one(live: Live) -> None:
    # Importing the library takes two seconds: only the process that runs this test does it.
    from interop.mcp_clients import Storage, provider_of

    storage = Storage("mcp")

    async with httpx2.AsyncClient(auth=provider_of(live.resource.url, live.person, storage)) as http:
        answer = await http.get(live.resource.url)

    assert answer.status_code == 200, answer.text
    claims = answer.json()
    assert (claims["aud"], claims["client_id"], claims["sub"]) == (live.resource.url, "mcp", live.sub)
    assert storage.tokens is not None
    assert storage.tokens.refresh_token is not None
    assert set((storage.tokens.scope or "").split()) == {"read", "write"}
