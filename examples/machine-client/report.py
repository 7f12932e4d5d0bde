"""A program that acts for itself. It has a key instead of a secret: what it sends to the server can be used once.

pip install ../../clients/python
python report.py new-key > jwks.json
jeton client add nightly --grant client_credentials --scope orders --audience https://orders.example \\
      --auth-method private_key_jwt --jwks jwks.json
python report.py
"""

import json
import os
import sys
from pathlib import Path
from typing import Final

import httpx2
from joserfc.jwk import ECKey

from jeton_client import BearerAuth, Client, ClientError, ClientKey, TokenSession

ISSUER: Final = os.environ.get("ISSUER", "http://127.0.0.1:8000")
API: Final = os.environ.get("API", "http://127.0.0.1:8001")
KEY: Final = Path(os.environ.get("KEY", "key.json"))


def create_key() -> None:
    """Write a new private key to a file that only this user can read, and print the public part."""
    key = ECKey.generate_key("P-256", {"use": "sig"}, auto_kid=True)
    with os.fdopen(os.open(KEY, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
        json.dump(key.as_dict(private=True), file)
    print(json.dumps({"keys": [key.as_dict(private=False)]}))


def report() -> None:
    """Print the orders that the API returns to this client."""
    client = Client("nightly", key=ClientKey.from_file(KEY))
    with (
        TokenSession(ISSUER, client) as session,
        httpx2.Client(auth=BearerAuth(session, origins=[API])) as http,
    ):
        session.log_in_as_client("orders")
        print(http.get(f"{API}/orders").raise_for_status().text)


if __name__ == "__main__":
    try:
        create_key() if sys.argv[1:] == ["new-key"] else report()
    except FileExistsError:
        raise SystemExit(f"There is a key in {KEY} already. Remove it first, or set KEY to another file.") from None
    except FileNotFoundError:
        raise SystemExit(f"There is no key in {KEY}. Run: python report.py new-key > jwks.json") from None
    except (ClientError, httpx2.HTTPError) as error:
        raise SystemExit(f"This does not work at the moment: {error}") from None
