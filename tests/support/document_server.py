"""A web site that serves one JSON document over TLS, such as the metadata document of a client."""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from support.tls_certificates import tls_contexts


@contextmanager
def served_document(folder: Path, members: Mapping[str, Any]) -> Iterator[tuple[str, Path]]:
    """Serve a document with these members and its own URL as `client_id`.

    Yield the URL and the file of the CA certificate.
    """
    context, _ = tls_contexts(folder, "localhost")

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Suppress the log of requests."""

        def do_GET(self) -> None:
            body = json.dumps({**members, "client_id": url}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    url = f"https://localhost:{server.server_port}/client.json"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield url, folder / "localhost.pem"
    finally:
        server.shutdown()
        server.server_close()
