"""Duration of refused logins: it does not reveal whether a user exists, is disabled or is rate-limited.

Statistical, with the default password hash; `-s` shows the figures. Every login comes from a separate address and,
except for the rate-limited account, goes to a separate account.
"""

import asyncio
import random
import statistics
import time
from collections.abc import Awaitable, Callable
from itertools import combinations
from pathlib import Path
from typing import Final

import httpx2
import pytest

from jeton.config.loading import load_settings
from jeton.crypto.passwords import Passwords
from jeton.crypto.refresh_token import generate_sid
from jeton.oauth.users import User
from jeton.storage.database import Database
from jeton.storage.users import insert_user
from support.in_process_server import PASSWORD, START
from support.refresh_load import CLIENT_ID, add_accounts
from support.server_processes import ServerProcess, server_process

pytestmark = [pytest.mark.slow]

ROUNDS: Final = 200
WRONG: Final = "a wrong password, and long"
# One in ten thousand of such comparisons finds a difference where there is none.
SIGNIFICANT: Final = 1e-4

Login = Callable[[int], Awaitable[httpx2.Response]]


def p_value(one: list[float], other: list[float]) -> float:
    """Return the p-value of the two-sided Mann-Whitney U test.

    It is the probability of ranks that differ so much if both samples come from the same source.
    """
    ranked = sorted([(value, 0) for value in one] + [(value, 1) for value in other])
    rank_sum = sum(rank for rank, (_, source) in enumerate(ranked, 1) if source == 0)
    u = rank_sum - len(one) * (len(one) + 1) / 2
    mean = len(one) * len(other) / 2
    deviation = (mean * (len(one) + len(other) + 1) / 6) ** 0.5
    return 2 * statistics.NormalDist().cdf(-abs(u - mean) / deviation)


def add_users(database_url: str, names: list[str], *, disabled: bool) -> None:
    settings, database = load_settings(environment={}).passwords, Database(database_url)
    password_hash = Passwords(settings.memory_kib, settings.iterations, settings.lanes).hash(PASSWORD)
    with database.write() as connection:
        for name in names:
            insert_user(connection, User(f"u_{generate_sid()}", name, None, (), disabled, START, 1, password_hash))
    database.close()


async def measured(logins: dict[str, Login]) -> dict[str, list[float]]:
    """Return milliseconds by kind. Each round measures all kinds in another order."""
    times: dict[str, list[float]] = {kind: [] for kind in logins}
    bodies = set()
    for number in range(ROUNDS):
        for kind in random.sample(sorted(logins), len(logins)):
            began = time.perf_counter()
            answer = await logins[kind](number)
            times[kind].append(1000 * (time.perf_counter() - began))
            bodies.add((answer.status_code, answer.content))
    assert len(bodies) == 1, bodies
    return times


@pytest.mark.timeout(300)
async def test_duration_of_a_login_refusal_does_not_reveal_its_reason(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/jeton.db"
    variables = {"SERVER__TRUSTED_PROXIES": "127.0.0.1", "LIMITS__LOGIN_FAILURES_PER_CLIENT": "1000000"}
    defaults = load_settings(environment={}).passwords
    variables["PASSWORDS__MEMORY_KIB"] = str(defaults.memory_kib)
    with server_process(tmp_path, url, begin_only=False, **variables) as server:
        secret = add_accounts(url)
        add_users(url, [f"user{number}" for number in range(ROUNDS)] + ["besieged"], disabled=False)
        add_users(url, [f"disabled{number}" for number in range(ROUNDS)], disabled=True)
        async with httpx2.AsyncClient(auth=(CLIENT_ID, secret), timeout=60, trust_env=False) as http:
            times = await measured(await prepared(http, server))

    assert server.log.count('"reason":"login_throttled_by_account"') > 0.9 * ROUNDS
    for kind, taken in times.items():
        quartiles = statistics.quantiles(taken, n=4)
        print(f"{kind:15} median {quartiles[1]:.2f} ms, half of them within {quartiles[0]:.2f} and {quartiles[2]:.2f}")
    found = {pair: p_value(times[pair[0]], times[pair[1]]) for pair in combinations(times, 2)}
    for pair, p in found.items():
        print(f"{' and '.join(pair):40} p = {p:.3f}")
    assert {pair for pair, p in found.items() if p < SIGNIFICANT} == set()


async def prepared(http: httpx2.AsyncClient, server: ServerProcess) -> dict[str, Login]:
    """Return the kinds of refusals. One account is rate limited, after guesses from many addresses."""
    addresses = (f"198.18.{high}.{low}" for high in range(256) for low in range(1, 255))

    async def log_in(username: str, password: str = WRONG) -> httpx2.Response:
        form = {"grant_type": "password", "username": username, "password": password}
        headers = {"X-Forwarded-For": next(addresses)}
        return await http.post(f"{server.url}/oauth/token", data=form, headers=headers)

    await asyncio.gather(*(log_in("besieged") for _ in range(20)))
    return {
        "unknown": lambda number: log_in(f"nobody{number}"),
        "wrong password": lambda number: log_in(f"user{number}"),
        "disabled": lambda number: log_in(f"disabled{number}", PASSWORD),
        "throttled": lambda _: log_in("besieged"),
    }


def test_the_comparison_detects_an_existing_difference() -> None:
    dice = random.Random(1)
    one, same = ([dice.gauss(60, 3) for _ in range(ROUNDS)] for _ in range(2))
    other = [dice.gauss(62, 3) for _ in range(ROUNDS)]

    assert p_value(one, same) > SIGNIFICANT > p_value(one, other)
