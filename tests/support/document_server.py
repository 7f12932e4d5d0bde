"""A web site that serves one JSON document over TLS, such as the metadata document of a client."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from support.remote_server import RemoteRequest, json_response, threaded_server
from support.tls_certificates import tls_contexts


@contextmanager
def served_document(folder: Path, members: Mapping[str, Any]) -> Iterator[tuple[str, Path]]:
    """Serve a document with these members and its own URL as `client_id`.

    Yield the URL and the file of the CA certificate.
    """
    tls, _ = tls_contexts(folder, "localhost")

    async def respond(_: RemoteRequest) -> bytes:
        return json_response({**members, "client_id": url})

    with threaded_server(respond, tls) as server:
        url = f"https://localhost:{server.port}/client.json"
        yield url, folder / "localhost.pem"
