"""mod_auth_openidc (Debian's): an Apache that signs people in before it shows them a page."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx2
import pytest

from interop.live_server import Live
from support.programs import find_program
from support.server_processes import free_port, wait_until

MODULES: Final = Path("/usr/lib/apache2/modules")
# Its page is that of mod_status, which needs no file that Apache's user may read.
CONFIGURATION: Final = """
ServerRoot {folder}
ServerName 127.0.0.1
Listen 127.0.0.1:{port}
User www-data
Group www-data
PidFile {folder}/pid
ErrorLog {folder}/log
DefaultRuntimeDir {folder}
{modules}
OIDCProviderMetadataURL {issuer}/.well-known/openid-configuration
OIDCClientID apache
OIDCClientSecret {secret}
OIDCRedirectURI http://127.0.0.1:{port}/protected/callback
OIDCCryptoPassphrase "a secret of this Apache alone"
OIDCScope "openid profile"
OIDCPKCEMethod S256
<Location /protected>
  AuthType openid-connect
  Require valid-user
  SetHandler server-status
  Header set X-Remote-User "expr=%{{REMOTE_USER}}"
  Header set X-Username "expr=%{{req:OIDC_CLAIM_preferred_username}}"
</Location>
"""
LOADED: Final = ("mpm_event", "authn_core", "authz_core", "authz_user", "headers", "status", "auth_openidc")


@contextmanager
def apache(live: Live, folder: Path) -> Iterator[str]:
    """Start an Apache that is a new client. Yield the URL of its protected page."""
    program = find_program("apache2", "libapache2-mod-auth-openidc")
    port = free_port()
    redirect_uri = f"http://127.0.0.1:{port}/protected/callback"
    words = ("--grant", "authorization_code", "--scope", "openid", "--scope", "profile", "--redirect-uri", redirect_uri)
    told = ("--backchannel-logout-uri", f"{redirect_uri}?logout=backchannel")
    secret = live.server.json("client", "add", "apache", *words, *told)["client_secret"]
    modules = "\n".join(f"LoadModule {name}_module {MODULES}/mod_{name}.so" for name in LOADED)
    configuration = folder / "apache.conf"
    configuration.write_text(
        CONFIGURATION.format(folder=folder, port=port, modules=modules, issuer=live.issuer, secret=secret)
    )
    process = subprocess.Popen([program, "-X", "-f", configuration])
    try:
        wait_until((folder / "pid").exists, "Apache is ready", seconds=10)
        yield f"http://127.0.0.1:{port}/protected/"
    finally:
        process.terminate()
        process.wait(10)


@pytest.mark.requirement("OI20", "OI22", "OI42", "OI51", "RR03", "A28", "LO06", "LO21", "LO22")
def test_page_requires_sign_in_and_logout_ends_the_browser_session(live: Live, tmp_path: Path) -> None:
    html = {"Accept": "text/html"}
    with apache(live, tmp_path) as page, httpx2.Client() as browser:
        sent = browser.get(page, headers=html)
        assert sent.status_code == 302, (sent.text, (tmp_path / "log").read_text())
        callback = browser.get(live.person.authorize_blocking(sent.headers["location"]))
        assert callback.headers.get("location") == page, (callback.text, (tmp_path / "log").read_text())
        shown = browser.get(page)
        live.server.json("browser-session", "revoke", "--user", live.username)
        wait_until(lambda: browser.get(page, headers=html).status_code == 302, "Apache was told", seconds=10)

    assert shown.status_code == 200
    assert shown.headers["X-Remote-User"] == f"{live.sub}@{live.issuer}"
    assert shown.headers["X-Username"] == live.username
