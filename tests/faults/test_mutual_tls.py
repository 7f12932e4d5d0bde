"""Mutual TLS through nginx, configured as documented: the server receives the certificate, and no forged header."""

import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from support.checkout import ROOT
from support.client_certificates import Certificate, authority, issue
from support.reverse_proxies import nginx
from support.server_processes import ServerProcess, free_port, server_process

NOW = int(time.time())
CA = authority(since=NOW - 60)
JOB = issue("CN=job", by=CA, since=NOW - 60, until=NOW + 3600)
FORGED = issue("CN=job", since=NOW - 60, until=NOW + 3600)


def documented_server(folder: Path, port: int, upstream: int) -> str:
    """Return the block of the documentation, with the ports and files of this test."""
    document = (ROOT / "docs" / "client-keys.md").read_text(encoding="utf-8")
    block = document.partition("```nginx\n")[2].partition("```")[0]
    replaced = {
        "443 ssl": f"127.0.0.1:{port} ssl",
        "127.0.0.1:8000": f"127.0.0.1:{upstream}",
        "/etc/nginx/id.example.pem": f"{folder}/server.pem",
        "/etc/nginx/id.example.key": f"{folder}/server.key",
    }
    for documented, here in replaced.items():
        assert documented in block
        block = block.replace(documented, here)
    return block


@pytest.fixture(scope="module")
def server(module_sqlite_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("mutual_tls")
    (folder / "ca.pem").write_text(CA.pem)
    with server_process(
        folder,
        module_sqlite_url,
        SERVER__TRUSTED_PROXIES="127.0.0.1",
        SERVER__CLIENT_CERTIFICATE_HEADER="nginx X-Client-Cert",
        SERVER__CLIENT_CERTIFICATE_AUTHORITIES=str(folder / "ca.pem"),
    ) as process:
        grant = ("--grant", "client_credentials", "--scope", "read")
        process.json("client", "add", "job", *grant, "--auth-method", "tls_client_auth", "--tls-subject-dn", "CN=job")
        yield process


@pytest.fixture(scope="module")
def port(server: ServerProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of nginx."""
    folder, port = tmp_path_factory.mktemp("nginx"), free_port()
    certificate = issue("CN=127.0.0.1", since=NOW - 60, until=NOW + 3600)
    (folder / "server.pem").write_text(certificate.pem)
    (folder / "server.key").write_text(certificate.key_pem)
    with nginx(folder, documented_server(folder, port, server.port), port):
        yield port


def request_token(folder: Path, port: int, certificate: Certificate | None, **headers: str) -> httpx2.Response:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if certificate is not None:
        (folder / "client.pem").write_text(certificate.key_pem + certificate.pem)
        context.load_cert_chain(folder / "client.pem")
    form = {"grant_type": "client_credentials", "client_id": "job"}
    with httpx2.Client(verify=context) as http:
        return http.post(f"https://127.0.0.1:{port}/oauth/token", data=form, headers=headers)


@pytest.mark.requirement("I16", "MT06")
def test_only_the_certificate_of_the_connection_counts(port: int, server: ServerProcess, tmp_path: Path) -> None:
    assert request_token(tmp_path, port, JOB).status_code == 200
    for certificate, headers in ((None, {}), (None, JOB.nginx), (FORGED, {}), (FORGED, JOB.nginx)):
        assert request_token(tmp_path, port, certificate, **headers).status_code == 401
    assert request_token(tmp_path, port, JOB, **FORGED.nginx).status_code == 200
