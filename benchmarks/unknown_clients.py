"""Authorization requests of unregistered, unknown clients: rows, fetches, memory and time.

One worker on SQLite, with default limits, over HTTP; `PYTHONPATH=tests python benchmarks/unknown_clients.py`. Half of
the 100,000 made-up client ids are URLs of metadata documents, on hosts that do not exist. Each request states its own
client address, like a trusted proxy.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Final

import httpx2
from sqlalchemy import func, select

from jeton.storage.database import Database
from jeton.storage.tables import metadata
from support.authorization_codes import CHALLENGE
from support.builders import CALLBACK
from support.server_processes import ServerProcess, server_process

_AT_ONCE: Final = 50
_FIXED: Final = {
    "response_type": "code",
    "redirect_uri": CALLBACK,
    "scope": "openid",
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
}


def rows(database_url: str) -> Counter[str]:
    """Return the number of rows by table."""
    database = Database(database_url)
    with database.read() as connection:
        found = {it.name: connection.scalar(select(func.count()).select_from(it)) for it in metadata.tables.values()}
    database.close()
    return Counter({name: count or 0 for name, count in found.items()})


def memory_mib(server: ServerProcess) -> float:
    status = Path(f"/proc/{server.pid}/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:")) / 1024


async def request(http: httpx2.AsyncClient, url: str, number: int) -> int:
    """Return the status of a request of the client with this number."""
    client_id = f"app-{number}" if number % 2 else f"https://made-up-{number}.invalid/client.json"
    address = f"2001:db8:{number % 65536:x}:{number // 65536}::1"
    parameters = {"client_id": client_id, **_FIXED}
    return (await http.get(url, params=parameters, headers={"X-Forwarded-For": address})).status_code


async def main(requests: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        database_url = f"sqlite:///{folder}/jeton.db"
        with server_process(folder, database_url, SERVER__TRUSTED_PROXIES="127.0.0.1") as server:
            url, before, memory = f"{server.url}/oauth/authorize", rows(database_url), memory_mib(server)
            statuses, began = Counter[int](), time.monotonic()
            async with httpx2.AsyncClient(timeout=60, trust_env=False) as http:
                for begin in range(0, requests, _AT_ONCE):
                    numbers = range(begin, min(begin + _AT_ONCE, requests))
                    statuses.update(await asyncio.gather(*(request(http, url, it) for it in numbers)))
            seconds = time.monotonic() - began
            fetched = server.log.count('"event":"metadata_document_refused"')
            added = rows(database_url) - before
            after = memory_mib(server)
    print(f"{requests:,} made-up clients in {seconds:.0f} s: statuses {dict(statuses)}")
    print(f"  rows added: {dict(added) or 'none'}; attempts to fetch a document: {fetched}")
    print(f"  memory of the process: {memory:.0f} MiB before, {after:.0f} MiB after")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=100_000)
    sys.exit(asyncio.run(main(parser.parse_args().requests)))
