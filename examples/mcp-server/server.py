"""An MCP server whose tools need an access token with the scope `notes`. Clients find out by themselves how to get one.

pip install ../../clients/python 'mcp>=2.3' uvicorn
ISSUER=http://127.0.0.1:8000 RESOURCE=http://127.0.0.1:8001/mcp uvicorn server:app --port 8001
"""

import os
from collections import defaultdict
from typing import Final

from mcp.server.mcpserver import Context, MCPServer

from jeton_client import AccessToken, AsyncVerifier, BearerMiddleware, DPoP, ProtectedResource

notes: Final = defaultdict[str, list[str]](list)
mcp: Final = MCPServer("notes")


@mcp.tool()
def add_note(text: str, context: Context) -> str:
    """Keep a note of yours."""
    token: AccessToken = context.request_context.request.scope["access_token"]
    notes[token.subject].append(text)
    return f"{len(notes[token.subject])} notes"


@mcp.tool()
def list_notes(context: Context) -> list[str]:
    """Return the notes of the current user."""
    token: AccessToken = context.request_context.request.scope["access_token"]
    return notes[token.subject]


issuer: Final = os.environ.get("ISSUER", "http://127.0.0.1:8000")
identifier: Final = os.environ.get("RESOURCE", "http://127.0.0.1:8001/mcp")
resource: Final = ProtectedResource(identifier, [issuer], ["notes"], name="Notes", dpop=DPoP())
verifier: Final = AsyncVerifier(issuer, resource.identifier)
app: Final = BearerMiddleware(mcp.streamable_http_app(), verifier, resource=resource, scope=["notes"])
