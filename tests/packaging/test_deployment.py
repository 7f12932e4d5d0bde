"""The files in config/deployment/ work: unit, manifests and proxies as they are, the container in the slow tests."""

import json
import os
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final
from urllib.request import Request, urlopen

import pytest
import yaml

from support.checkout import ROOT, copy_tracked_files
from support.programs import find_program
from support.reverse_proxies import nginx, reverse_proxy
from support.server_processes import JETON, ServerProcess, free_port, server_process
from support.tls_certificates import server_certificate

DEPLOYMENT: Final = ROOT / "config" / "deployment"
KUBERNETES: Final = "1.33"
MANIFESTS: Final = [
    (file.name, manifest)
    for file in sorted((DEPLOYMENT / "kubernetes").iterdir())
    for manifest in yaml.safe_load_all(file.read_text(encoding="utf-8"))
]
NAME: Final = "id.example.com"


def written(name: str, **replaced: str) -> str:
    """Return the content of the file with the addresses and paths of this test."""
    text = (DEPLOYMENT / name).read_text(encoding="utf-8")
    for there, here in replaced.items():
        assert there in text, f"{name} does not contain {there}"
        text = text.replace(there, here)
    return text


def output(*command: str | Path, seconds: int = 60, environment: Mapping[str, str] | None = None) -> str:
    """Return what the command prints. It must succeed."""
    words, variables = [str(it) for it in command], {**os.environ, **(environment or {})}
    done = subprocess.run(words, env=variables, capture_output=True, text=True, timeout=seconds, check=False)
    assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def test_systemd_unit_is_valid_and_hardened(tmp_path: Path) -> None:
    unit = tmp_path / "jeton.service"
    unit.write_text(written("jeton.service", **{"/opt/jeton/bin/jeton": str(JETON)}), encoding="utf-8")

    assert output("systemd-analyze", "verify", unit) == ""
    # 10 is a service without any protection; it fails above 2.
    output("systemd-analyze", "security", "--offline=true", "--threshold=20", unit)


@pytest.mark.parametrize(("file", "manifest"), MANIFESTS, ids=[f"{file}: {it['kind']}" for file, it in MANIFESTS])
def test_kubernetes_accepts_the_manifest(file: str, manifest: dict[str, object]) -> None:
    # Every process of the suite collects these tests, and few run them: it takes long to import.
    import kubernetes_validate

    kubernetes_validate.validate(manifest, KUBERNETES, strict=True)


def test_settings_in_the_manifests_exist(tmp_path: Path) -> None:
    """An unknown setting would stop the start; a Service link of Kubernetes does not."""
    names = {
        variable["name"]
        for _, manifest in MANIFESTS
        if manifest["kind"] in ("Deployment", "Job")
        for container in manifest["spec"]["template"]["spec"]["containers"]
        for variable in container["env"]
    }
    assert "JETON_DATABASE__URL" in names
    (tmp_path / "key").write_text("dGVzdHMgb25seTogbm90IGEgc2VjcmV0LCAzMiBieXQ", encoding="utf-8")
    values = {
        "JETON_SERVER__ISSUER": "https://id.example.com",
        "JETON_SERVER__TRUSTED_PROXIES": "10.0.0.0/8",
        "JETON_SERVER__DRAIN_SECONDS": "15",
        "JETON_DATABASE__URL": f"sqlite:///{tmp_path}/jeton.db",
        "JETON_SECRETS__MASTER_KEY_FILE": str(tmp_path / "key"),
    }
    assert names - {"JETON_SECRETS__MASTER_KEY"} == values.keys()
    links = {"JETON_PORT": "tcp://10.0.0.1:80", "JETON_SERVICE_HOST": "10.0.0.1", "JETON_PORT_80_TCP_ADDR": "10.0.0.1"}

    output(JETON, "config", "check", environment=values | links)


InFront = AbstractContextManager[None]


def nginx_in_front(folder: Path, server: ServerProcess, certificate: Path, port: int) -> InFront:
    replaced = {
        "127.0.0.1:8000": f"127.0.0.1:{server.port}",
        "listen 443": f"listen 127.0.0.1:{port}",
        "/etc/nginx/id.example.com.pem": str(certificate),
        "/etc/nginx/id.example.com.key": str(certificate),
    }
    return nginx(folder, written("nginx.conf", **replaced), port)


def haproxy_in_front(folder: Path, server: ServerProcess, certificate: Path, port: int) -> InFront:
    file = folder / "haproxy.cfg"
    replaced = {
        "bind :443": f"bind 127.0.0.1:{port}",
        "/etc/haproxy/id.example.com.pem": str(certificate),
        "127.0.0.1:8000": f"127.0.0.1:{server.port}",
        "127.0.0.1:8001": f"127.0.0.1:{server.port}",
    }
    file.write_text(written("haproxy.cfg", **replaced), encoding="utf-8")
    return reverse_proxy(folder, port, "haproxy", "-f", str(file))


def caddy_in_front(folder: Path, server: ServerProcess, certificate: Path, port: int) -> InFront:
    """Serve through Caddy with a given certificate, because no authority can reach this host."""
    file = folder / "Caddyfile"
    tls = f"{NAME}:{port} {{\n\tbind 127.0.0.1\n\ttls {certificate} {certificate}"
    site = written("Caddyfile", **{f"{NAME} {{": tls, "127.0.0.1:8000": f"127.0.0.1:{server.port}"})
    file.write_text("{\n\tadmin off\n\tauto_https off\n}\n" + site, encoding="utf-8")
    return reverse_proxy(folder, port, "caddy", "run", "--adapter", "caddyfile", "--config", str(file))


@pytest.fixture(scope="module")
def server(module_sqlite_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("deployment")
    variables = {"SERVER__ISSUER": f"https://{NAME}", "SERVER__TRUSTED_PROXIES": "127.0.0.1"}
    with server_process(folder, module_sqlite_url, begin_only=False, **variables) as process:
        yield process


@pytest.mark.requirement("I16")
@pytest.mark.parametrize("in_front", [nginx_in_front, haproxy_in_front, caddy_in_front])
def test_proxy_passes_requests_on_with_the_address_of_the_client(
    server: ServerProcess, tmp_path: Path, in_front: Callable[..., InFront]
) -> None:
    port, certificate = free_port(), server_certificate(tmp_path, NAME)
    context = ssl.create_default_context(cafile=str(certificate))
    body = b"grant_type=password&client_id=nobody"
    head = f"POST /oauth/token HTTP/1.1\r\nHost: {NAME}\r\nX-Forwarded-For: 203.0.113.9\r\nConnection: close\r\n"
    form = f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n"
    with (
        in_front(tmp_path, server, certificate, port),
        socket.create_connection(("127.0.0.1", port)) as connection,
        context.wrap_socket(connection, server_hostname=NAME) as secure,
    ):
        secure.sendall(head.encode() + form.encode() + body)
        answer = b"".join(iter(lambda: secure.recv(65536), b""))

    assert answer.startswith(b"HTTP/1.1 401")
    assert b"invalid_client" in answer
    (refused,) = [json.loads(it) for it in server.log.splitlines()[-1:] if "request_refused" in it]
    assert refused["ip"] == "127.0.0.1"


@pytest.mark.slow
def test_container_is_built_and_serves_as_another_user(tmp_path: Path) -> None:
    """The base image is made of Debian packages, because no registry is available."""
    base, context = tmp_path / "base", tmp_path / "context"
    packages = "--include=python3,python3-venv,ca-certificates"
    output(find_program("debootstrap", "debootstrap"), "--variant=minbase", packages, "bookworm", base, seconds=900)
    copy_tracked_files(context)
    build = {"STORAGE_DRIVER": "vfs", "BUILDAH_ISOLATION": "chroot"}
    buildah = find_program("buildah", "buildah")
    container = output(buildah, "from", "scratch", environment=build).strip()
    output(buildah, "add", container, base, "/", seconds=300, environment=build)
    output(buildah, "commit", container, "debian-python:test", seconds=300, environment=build)
    file = context / "config" / "deployment" / "Containerfile"
    certificates = "/etc/ssl/certs:/etc/ssl/certs:ro"
    arguments = ("--pull-never", "-v", certificates, "--build-arg", "BASE=localhost/debian-python:test")
    output(buildah, "bud", *arguments, "-f", file, "-t", "jeton:test", context, seconds=900, environment=build)
    jeton, port = output(buildah, "from", "jeton:test", environment=build).strip(), free_port()
    settings = f"JETON_SERVER__ISSUER=https://{NAME} JETON_SERVER__PORT={port}"
    ready = f"http://127.0.0.1:{port}/readyz"
    ask = f"""python3 -c 'import urllib.request as it; print(it.urlopen("{ready}").status)'"""
    script = f"id -u; {settings} timeout 60 jeton serve & until {ask} 2> /dev/null; do sleep 0.2; done"

    assert output(buildah, "run", jeton, "--", "sh", "-c", script, environment=build).split()[:2] == ["10001", "200"]


def test_probes_detect_an_unready_server_without_ending_a_live_one(server: ServerProcess) -> None:
    """The paths of the probes are those of the server."""
    deployment = next(it for _, it in MANIFESTS if it["kind"] == "Deployment")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        with urlopen(Request(server.url + container[probe]["httpGet"]["path"]), timeout=5) as response:
            assert response.status == 200
