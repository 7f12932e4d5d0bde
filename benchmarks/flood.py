"""Attacks on a server: password hashes, successful logins, growth of the table, latency of refreshes, memory.

One worker on SQLite, with the default password hash and limits, over HTTP; `PYTHONPATH=tests python
benchmarks/flood.py`. Every request states its own client address, like a trusted proxy.
"""

import asyncio
import itertools
import os
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

import httpx2
from sqlalchemy import func, select

from jeton.config.loading import load_settings
from jeton.login.login_rate_limits import LoginRequest
from jeton.oauth.sessions import Source
from jeton.storage.tables import throttle_buckets
from support.in_process_server import PASSWORD, running, settings_for
from support.refresh_load import CLIENT_ID, USERNAME, add_accounts
from support.server_processes import ServerProcess, server_process

WRONG: Final = "a wrong password, and long"
HOME: Final = "192.0.2.1"
NAMES: Final = 100_000
PASSWORDS: Final = load_settings(environment={}).passwords

T = TypeVar("T")


@dataclass(frozen=True)
class Attacked:
    """The server, and requests to it from any address."""

    server: ServerProcess
    http: httpx2.AsyncClient

    async def ask(self, ip: str, **form: str) -> httpx2.Response:
        return await self.http.post(f"{self.server.url}/oauth/token", data=form, headers={"X-Forwarded-For": ip})

    async def log_in(self, ip: str, username: str, password: str) -> httpx2.Response:
        return await self.ask(ip, grant_type="password", username=username, password=password)

    async def refresh_times(self, token: str, seconds: float) -> list[float]:
        """Return the latencies of sequential refreshes of one session, in milliseconds."""
        times, end = [], time.monotonic() + seconds
        while time.monotonic() < end:
            began = time.monotonic()
            answer = await self.ask(HOME, grant_type="refresh_token", refresh_token=token)
            times.append(1000 * (time.monotonic() - began))
            assert answer.status_code == 200, answer.text
            token = answer.json()["refresh_token"]
            await asyncio.sleep(0.005)
        return times

    def count_hashes(self) -> int:
        """Return the number of hashed wrong passwords, from the log."""
        return len(re.findall(r'"reason":"(?:password_wrong|user_unknown)"', self.server.log))

    def memory_mib(self, field: str) -> float:
        """Return VmRSS or VmHWM of the server process."""
        status = Path(f"/proc/{self.server.pid}/status").read_text(encoding="ascii")
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith(field + ":")) / 1024

    def forget_peak(self) -> None:
        Path(f"/proc/{self.server.pid}/clear_refs").write_text("5", encoding="ascii")


def p99(times: list[float]) -> float:
    return sorted(times)[int(len(times) * 0.99)]


async def gather(work: Iterable[Awaitable[T]]) -> list[T]:
    return list(await asyncio.gather(*work))


def count_statuses(answers: Iterable[httpx2.Response]) -> dict[int, int]:
    return dict(Counter(it.status_code for it in answers))


async def attack_from_everywhere(attacked: Attacked) -> None:
    """Attack one account from 1,000 addresses. Then its owner logs in from a known address and from a new one."""
    before, answers = attacked.count_hashes(), []
    for begin in range(0, 1000, 100):
        strangers = (f"198.18.{number // 250}.{number % 250}" for number in range(begin, begin + 100))
        answers += await gather(attacked.log_in(ip, USERNAME, WRONG) for ip in strangers)
    abroad = await attacked.log_in("203.0.113.1", USERNAME, PASSWORD)
    again = await attacked.log_in(HOME, USERNAME, PASSWORD)
    hashes = attacked.count_hashes() - before
    print(f"1,000 addresses against one account: statuses {count_statuses(answers)}, {hashes} hashes")
    print(f"  its owner: {again.status_code} from a known address, {abroad.status_code} from a new one")


async def burst(attacked: Attacked) -> None:
    before = attacked.count_hashes()
    answers = await gather(attacked.log_in("198.51.100.7", USERNAME, WRONG) for _ in range(200))
    hashes = attacked.count_hashes() - before
    print(f"200 concurrent wrong passwords: statuses {count_statuses(answers)}, {hashes} hashes (limit: 10)")


async def saturate(attacked: Attacked) -> None:
    """Refresh while the hash queue is full and further logins are refused."""
    token = (await attacked.log_in(HOME, USERNAME, PASSWORD)).json()["refresh_token"]
    idle = await attacked.refresh_times(token, 10)
    token = (await attacked.log_in(HOME, USERNAME, PASSWORD)).json()["refresh_token"]
    numbers, statuses = itertools.count(), Counter[int]()

    async def guess() -> None:
        while True:
            number = next(numbers)
            answer = await attacked.log_in(f"100.64.{number // 250 % 250}.{number % 250}", f"nobody{number}", WRONG)
            statuses[answer.status_code] += 1
            if answer.status_code == 503:
                await asyncio.sleep(0.25)

    guessing = [asyncio.create_task(guess()) for _ in range(5 * (os.cpu_count() or 1) + 4)]
    await asyncio.sleep(1)
    busy = await attacked.refresh_times(token, 15)
    for task in guessing:
        task.cancel()
    await asyncio.wait(guessing)
    print(
        f"refresh p99: {p99(idle):.1f} ms idle ({len(idle)}), {p99(busy):.1f} ms with a full hash queue ({len(busy)})"
    )
    print(f"  ratio {p99(busy) / p99(idle):.2f} (must be under 3); statuses of the guesses: {dict(statuses)}")


async def remember_memory(attacked: Attacked) -> None:
    """Send 500 concurrent logins."""
    base, gate = attacked.memory_mib("VmRSS"), (os.cpu_count() or 1) * PASSWORDS.memory_kib / 1024
    attacked.forget_peak()
    answers = await gather(attacked.log_in(f"100.65.{it // 250}.{it % 250}", f"no{it}", WRONG) for it in range(500))
    peak, most = attacked.memory_mib("VmHWM"), 1.2 * (base + gate)
    print(f"500 concurrent logins: statuses {count_statuses(answers)}, peak {peak:.0f} MiB")
    print(f"  base {base:.0f} + hashes {gate:.0f} + 20 % = {most:.0f} MiB: {'under' if peak < most else 'OVER'}")


async def make_up_names(folder: Path) -> None:
    """Count 100,000 names from 100,000 addresses, without HTTP, which would dominate the time."""
    async with running(settings_for(f"sqlite:///{folder}/names.db")) as jeton:
        client, began = jeton.add_client().client, time.monotonic()
        limits = jeton.login.limits
        for begin in range(0, NAMES, 1000):
            await gather(
                limits.reserve(LoginRequest(f"user{it}", client.client_id, Source(address)), None)
                for it in range(begin, begin + 1000)
                for address in [f"2001:db8:{it % 65536:x}:{it // 65536}::1"]
            )
        seconds = time.monotonic() - began
        with jeton.database.read() as connection:
            rows = connection.scalar(select(func.count()).select_from(throttle_buckets))
    print(f"{NAMES:,} unknown names from as many addresses: {rows:,} rows (at most 397,313) in {seconds:.0f} s")


async def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        settings = {
            "SERVER__TRUSTED_PROXIES": "127.0.0.1",
            "PASSWORDS__MEMORY_KIB": str(PASSWORDS.memory_kib),
            "LIMITS__LOGIN_FAILURES_PER_CLIENT": "1000000",
        }
        with server_process(folder, f"sqlite:///{folder}/jeton.db", begin_only=False, **settings) as server:
            secret = add_accounts(f"sqlite:///{folder}/jeton.db")
            limits = httpx2.Limits(max_connections=None)
            async with httpx2.AsyncClient(auth=(CLIENT_ID, secret), limits=limits, timeout=60, trust_env=False) as http:
                attacked = Attacked(server, http)
                assert (await attacked.log_in(HOME, USERNAME, PASSWORD)).status_code == 200
                for measure in (burst, attack_from_everywhere, saturate, remember_memory):
                    await measure(attacked)
        await make_up_names(folder)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
