"""Growth of the tables in 14 months of traffic, on a clock that runs ahead.

`PYTHONPATH=tests python benchmarks/growth.py [FILE.svg]` prints the rows of each table at the end of each second month,
and draws them. The traffic of every day is the same, so a table that deletes its expired rows becomes flat.
"""

import argparse
import asyncio
import logging
import math
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.sax.saxutils import escape

import structlog
from sqlalchemy import func, select

from jeton.oauth.single_use import SingleUse
from jeton.storage.database import Database
from jeton.storage.tables import metadata
from servers import migrate_database
from support.authorization_codes import add_app, redeem
from support.browsing import authorization_parameters, browser
from support.in_process_server import PASSWORD, App, Running, running, settings_for

MONTHS, DAYS = 14, 30
DAY = 86_400
# Enough for every table to have rows, few enough for a minute or two.
USERS = 12
SETTINGS = {
    "REGISTRATION__DYNAMIC": "open",
    "LIMITS__LOGINS_PER_ACCOUNT": "0",
    "LIMITS__LOGIN_FAILURES_PER_ADDRESS": "0",
}

Rows = Mapping[str, int]


async def day(node: Running, app: App, pages: App, number: int) -> None:
    """Log in, refresh, replay, revoke, sign in and out in a browser, fail, register a client, use what is used once."""
    name = f"user{number % USERS}"
    sessions = [await node.log_in(app, name) for _ in range(4)]
    spent = sessions[0]["refresh_token"]
    await node.refreshed(app, spent)
    await node.refresh(app, spent)
    await node.revoke(app, sessions[1]["refresh_token"])
    await node.refreshed(app, sessions[2]["refresh_token"])
    own = (await node.token(app, grant_type="client_credentials")).json()["access_token"]
    await node.revoke(app, own)
    await node.token(app, grant_type="password", username=name, password=PASSWORD[::-1])
    for sign_out in (True, False):
        await sign_in(node, pages, name, sign_out=sign_out)
    callback = {"redirect_uris": [f"https://app{number}.example/callback"], "token_endpoint_auth_method": "none"}
    await node.http.post("/oauth/register", json=callback)
    await node.server.parts.storage.replay_store.use(SingleUse(number.to_bytes(32), node.clock.now() + 60))


async def sign_in(node: Running, app: App, name: str, *, sign_out: bool) -> None:
    """Sign in, allow the app, redeem its code, and sign out if that is wanted."""
    async with browser(node) as visitor:
        await visitor.get("/oauth/authorize", **authorization_parameters(app))
        await visitor.sign_in(name)
        if visitor.page.status_code != 303:
            await visitor.decide()
        await redeem(node, app, visitor.answer["code"])
        if sign_out:
            await visitor.get("/me")
            await visitor.submit("/sign-out")


def rows(database: Database) -> Rows:
    """Return the number of rows of each table."""
    with database.read() as connection:
        return {it.name: connection.scalar(select(func.count()).select_from(it)) or 0 for it in metadata.sorted_tables}


async def simulate(url: str) -> list[Rows]:
    """Return the rows of each table at the end of each day."""
    found = []
    async with running(settings_for(url, **SETTINGS)) as node:
        app = node.add_client()
        pages = add_app(node, refresh_token="always", backchannel_logout_uri="https://app.example/logout")
        for number in range(USERS):
            node.add_user(f"user{number}")
        for number in range(MONTHS * DAYS):
            node.shared_state.refresh()
            node.purge.delete_expired()
            await day(node, app, pages, number)
            found.append(rows(node.database))
            node.clock.advance(DAY)
    return found


def print_table(days: Sequence[Rows]) -> None:
    ends = range(2 * DAYS - 1, len(days), 2 * DAYS)
    print("| table |", *(f"month {(end + 1) // DAYS} |" for end in ends))
    print("|---|", *("---|" for _ in ends), sep="")
    for name in sorted(days[-1]):
        print(f"| `{name}` |", *(f"{days[end][name]:,} |" for end in ends))


WIDTH, HEIGHT, LEFT, TOP, LEGEND = 560, 300, 56, 16, 210
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#999999")


def draw(days: Sequence[Rows]) -> str:
    """Return the chart as SVG: a line for each table, the largest first, on a logarithmic scale of rows + 1."""
    names = sorted(days[-1], key=lambda name: -max(day[name] for day in days))
    highest = max(max(day.values()) for day in days)
    x = WIDTH / (len(days) - 1)

    def y(count: int) -> float:
        return TOP + HEIGHT - HEIGHT * math.log1p(count) / math.log1p(highest)

    size = f'width="{LEFT + WIDTH + LEGEND}" height="{HEIGHT + 60}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="12">',
        "<title>Rows of each table in 14 months of the same traffic every day</title>",
        f'<rect {size} fill="#fff"/>',
    ]
    for month in range(0, MONTHS + 1, 2):
        at = LEFT + month * DAYS * x
        parts.append(f'<path d="M{at:.1f} {TOP}v{HEIGHT}" stroke="#ddd"/>')
        parts.append(f'<text x="{at:.1f}" y="{TOP + HEIGHT + 16}" text-anchor="middle">{month}</text>')
    for count in [it for it in (0, 1, 3, 10, 30, 100, 300, 1000, 3000) if it <= highest]:
        at = y(count)
        parts.append(f'<path d="M{LEFT} {at:.1f}h{WIDTH}" stroke="#ddd"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{at + 4:.1f}" text-anchor="end">{count:,}</text>')
    parts.append(f'<text x="{LEFT + WIDTH / 2}" y="{TOP + HEIGHT + 34}" text-anchor="middle">month</text>')
    for place, name in enumerate(names):
        colour, dashes = COLOURS[place % len(COLOURS)], ("", "6 3", "2 2")[place // len(COLOURS)]
        style = f'stroke="{colour}" stroke-dasharray="{dashes}" fill="none" stroke-width="1.5"'
        points = " ".join(f"{LEFT + at * x:.1f},{y(day[name]):.1f}" for at, day in enumerate(days))
        parts.append(f'<polyline points="{points}" {style}/>')
        line = TOP + 8 + place * 15
        parts.append(f'<path d="M{LEFT + WIDTH + 12} {line - 4}h20" {style}/>')
        parts.append(f'<text x="{LEFT + WIDTH + 38}" y="{line}">{escape(name)}</text>')
    return "\n".join([*parts, "</svg>", ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("charts", nargs="*", type=Path, help="files to draw the sizes to, as SVG")
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/jeton.db"
        migrate_database(url)
        days = asyncio.run(simulate(url))
    print_table(days)
    for file in options.charts:
        file.write_text(draw(days), encoding="utf-8")


if __name__ == "__main__":
    main()
