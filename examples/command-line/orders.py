"""A command-line app: a login in the browser lasts for many commands.

pip install ../../clients/python
jeton client add orders-cli --public --application-type native --redirect-uri http://127.0.0.1/callback \\
      --grant authorization_code --grant refresh_token --scope orders --audience https://orders.example
python orders.py login && python orders.py place tea && python orders.py list && python orders.py logout
"""

import argparse
import os
from pathlib import Path
from typing import Final

import httpx2

from jeton_client import (
    AuthorizationRequest,
    BearerAuth,
    Client,
    ClientError,
    FileStorage,
    LoginRequiredError,
    RefusedError,
    TokenSession,
    log_in_by_browser,
)

ISSUER: Final = os.environ.get("ISSUER", "http://127.0.0.1:8000")
CLIENT_ID: Final = os.environ.get("CLIENT_ID", "orders-cli")
API: Final = os.environ.get("API", "http://127.0.0.1:8001")


def run(words: argparse.Namespace, session: TokenSession) -> None:
    match words.command:
        case "login":
            log_in_by_browser(session, AuthorizationRequest("http://127.0.0.1/callback", scope="orders"))
        case "logout":
            session.log_out()
        case "list":
            print(*ask(session, "GET", {}), sep="\n")
        case "place":
            print(*ask(session, "POST", {"item": words.argument}), sep="\n")


def ask(session: TokenSession, method: str, query: dict[str, str]) -> list[str]:
    """Send a request to the API. The session renews its token if necessary, and sends it to this API only."""
    with httpx2.Client(auth=BearerAuth(session, origins=[API])) as http:
        response = http.request(method, f"{API}/orders", params=query)
    if response.status_code >= 400:
        raise SystemExit(f"the service returned {response.status_code}: {response.headers.get('www-authenticate', '')}")
    return list(response.json())


def main() -> None:
    parser = argparse.ArgumentParser(description="Your orders.")
    parser.add_argument("command", choices=["login", "logout", "list", "place"])
    parser.add_argument("argument", nargs="?", default="")
    folder = Path(os.environ.get("XDG_STATE_HOME", Path.home() / ".local" / "state")) / "orders"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    storage = FileStorage(folder / "session.json")
    try:
        with TokenSession(ISSUER, Client(CLIENT_ID), storage=storage) as session:
            run(parser.parse_args(), session)
    except LoginRequiredError:
        raise SystemExit("You are not logged in. Run: python orders.py login") from None
    except RefusedError as refused:
        raise SystemExit(f"The server refused the request: {refused}") from None
    except (ClientError, httpx2.HTTPError) as error:
        raise SystemExit(f"This does not work at the moment: {error}") from None


if __name__ == "__main__":
    main()
