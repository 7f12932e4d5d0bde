"""A program that acts for itself. It has a key instead of a secret: what it sends to the server can be used once.

pip install ../../clients/python
python report.py public-key > jwks.json
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


def print_public_key() -> None:
    """Print the public part of the key. If there is no key, create it first, in a file that only this user can read."""
    if not KEY.exists():
        new = ECKey.generate_key("P-256", {"use": "sig"}, auto_kid=True)
        with os.fdopen(os.open(KEY, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
            json.dump(new.as_dict(private=True), file)
    ClientKey.from_file(KEY)  # raises ValueError if it is unusable
    print(json.dumps({"keys": [ECKey.import_key(json.loads(KEY.read_text())).as_dict(private=False)]}))


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
        print_public_key() if sys.argv[1:] == ["public-key"] else report()
    except FileNotFoundError:
        raise SystemExit(f"There is no key in {KEY}. Run: python report.py public-key > jwks.json") from None
    except ValueError as error:
        raise SystemExit(f"There is no usable key in {KEY}: {error}") from None
    except (ClientError, httpx2.HTTPError, OSError) as error:
        raise SystemExit(f"This does not work at the moment: {error}") from None
