"""Checks of `jeton doctor`: which facts are failures, and which are only worth a warning."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from jeton.admin.diagnosis.database import check_postgresql, check_sqlite, check_writable
from jeton.admin.diagnosis.findings import Finding, Level, in_words
from jeton.admin.diagnosis.hashing_memory import check_hashing_memory
from jeton.admin.diagnosis.issuer import PublishedIssuer, check_address, check_issuer, check_unreachable
from jeton.admin.diagnosis.metrics import check_metrics
from jeton.admin.diagnosis.proxies import check_proxies
from jeton.admin.diagnosis.secret_files import SecretFile, check_secret_files
from jeton.admin.diagnosis.signing_keys import check_signing_keys
from jeton.bootstrap.published_issuer import read_published_issuer
from jeton.frozen import replace
from jeton.outbound.client import OutboundClient
from jeton.outbound.messages import OutboundFailure, OutboundResponse
from jeton.rules.key_lifecycle import KeyState, KeyTimings, SigningKey
from jeton.storage.database_facts import PostgresqlFacts, SqliteFacts

ISSUER = "https://id.example.com"
NOW = 1_800_000_000
DAY = 86400
TIMINGS = KeyTimings(publish_ahead_seconds=DAY, jwks_max_age_seconds=300, rotate_seconds=90 * DAY)
DURABLE = {"fsync": "on", "synchronous_commit": "on"}
POSTGRESQL = PostgresqlFacts(
    "16.3", 160003, False, 100, DURABLE, (), may_change_audit_trail=False, clock_ahead_seconds=0.2
)
SQLITE = SqliteFacts(Path("/var/lib/jeton/jeton.db"), "3.40.1", is_writable=True, file_system="ext4", free_bytes=2**40)
PUBLISHED = PublishedIssuer({"issuer": ISSUER}, frozenset({"a", "b"}), 60 * DAY, 0.5)
ACTIVE = SigningKey("a", "RS256", '{"n": ""}', "database", "", KeyState.ACTIVE, NOW, NOW, 600, NOW)
KEYS: tuple[SigningKey, ...] = (
    ACTIVE,
    replace(ACTIVE, kid="b", state=KeyState.NEXT, activated_at=None, longest_seconds=0),
)


WARN, FAIL = Level.WARN, Level.FAIL
Findings = Iterable[Finding]


def postgresql(workers: int = 2, **changes: Any) -> Findings:
    return check_postgresql(replace(POSTGRESQL, **changes), workers)


def sqlite(**changes: Any) -> Findings:
    return check_sqlite(replace(SQLITE, **changes))


def signing_keys(keys: tuple[SigningKey, ...] = KEYS, now: int = NOW, **unusable: str) -> Findings:
    return check_signing_keys(keys, unusable, now, TIMINGS)


def secret_file(mode: int) -> Findings:
    return check_secret_files([SecretFile(Path("/etc/jeton/master_key"), "the master key", 0o100000 | mode)])


def issuer(*stored: str, **changes: Any) -> Findings:
    return check_issuer(ISSUER, replace(PUBLISHED, **changes), set(stored))


FINE: dict[str, Findings] = {
    "PostgreSQL": postgresql(),
    "PostgreSQL: owner": postgresql(may_change_audit_trail=True),
    "PostgreSQL: connections of a pooler": postgresql(7, is_pooled=True),
    "SQLite": sqlite(),
    "database accepts writes": [check_writable(writable=True)],
    "signing keys": signing_keys(),
    **{f"secret file {mode:o}": secret_file(mode) for mode in (0o600, 0o400, 0o440, 0o640)},
    "memory of hashes": [check_hashing_memory(12, 2, 47104, 2**31)],
    "without a proxy": check_proxies("http://127.0.0.1:8000", "127.0.0.1", ()),
    "proxy elsewhere": check_proxies(ISSUER, "::", ("10.0.0.0/8",)),
    "proxy on this machine": check_proxies(ISSUER, "127.0.0.1", ("127.0.0.1",)),
    "proxy on this machine, IPv6": check_proxies(ISSUER, "::1", ("::1",)),
    **{f"metrics at {it}": [check_metrics(it, 9464)] for it in ("127.0.0.1", "::1", "localhost", "10.1.2.3")},
    "issuer": issuer("a", "b"),
    "issuer: the database is not known": issuer(),
    "issuer without TLS": issuer("a", certificate_seconds=None),
}
PROBLEMS: dict[str, tuple[Findings, Level, str]] = {
    "PostgreSQL: version": (postgresql(version="13.1", version_number=130001), WARN, "older than 15"),
    "PostgreSQL: fsync": (postgresql(durability={**DURABLE, "fsync": "off"}), WARN, "set fsync = on"),
    "PostgreSQL: privileges": (postgresql(tables_without_privileges=("users",)), FAIL, "DELETE ON users TO it"),
    "PostgreSQL: privileges on the audit trail": (
        postgresql(tables_without_privileges=("audit_records",)),
        FAIL,
        "must GRANT SELECT, INSERT ON audit_records TO it",
    ),
    "PostgreSQL: connections": (postgresql(7), WARN, "105 connections, and max_connections is 100"),
    "PostgreSQL: clock": (postgresql(clock_ahead_seconds=-7.2), WARN, "7 seconds behind this machine"),
    "PostgreSQL: wrong clock": (postgresql(clock_ahead_seconds=3600.0), FAIL, "1 hour ahead of this machine"),
    "SQLite: permissions": (sqlite(is_writable=False), FAIL, "may not write"),
    "SQLite: network file system": (sqlite(file_system="nfs4"), FAIL, "network file system (nfs4)"),
    "SQLite: disk": (sqlite(free_bytes=5 * 2**20), WARN, "5 MiB are free"),
    "database refuses writes": ([check_writable(writable=False)], FAIL, "name the primary"),
    "no signing keys": (signing_keys(()), WARN, "its first start creates them"),
    "signing key is unusable": (signing_keys(a="cannot be decrypted"), FAIL, "cannot be decrypted"),
    "rotation is overdue": (signing_keys(now=NOW + 91 * DAY), WARN, "active 1 day ago"),
    "signing key of the future": (signing_keys(now=NOW - 2 * DAY), FAIL, "2 days from now"),
    **{f"secret file {mode:o}": (secret_file(mode), FAIL, "every user may read") for mode in (0o644, 0o604)},
    "secret file 666": (secret_file(0o666), FAIL, "every user may write"),
    "secret file 660": (secret_file(0o660), FAIL, "its group may write"),
    "no proxy is trusted": (check_proxies(ISSUER, "127.0.0.1", ()), WARN, "all users share its address"),
    "another proxy is trusted": (check_proxies(ISSUER, "127.0.0.1", ("10.0.0.1",)), FAIL, "add 127.0.0.1"),
    "IPv6 is trusted, and the proxy connects by IPv4": (
        check_proxies(ISSUER, "127.0.0.1", ("::1",)),
        FAIL,
        "add 127.0.0.1",
    ),
    "IPv4 is trusted, and the proxy connects by IPv6": (check_proxies(ISSUER, "::1", ("127.0.0.1",)), FAIL, "add ::1"),
    "secret file 664": (secret_file(0o664), FAIL, "every user may read"),
    "too little memory for hashes": ([check_hashing_memory(12, 2, 47104, 2**30)], WARN, "passwords.concurrency"),
    "a public network is trusted": (check_proxies(ISSUER, "::", ("8.8.0.0/16",)), WARN, "8.8.0.0/16"),
    **{
        f"metrics at {it}": ([check_metrics(it, 9464)], WARN, "firewall")
        for it in ("0.0.0.0", "::", "8.8.8.8", "db.example.com")
    },
    "issuer is missing": (issuer("a", metadata={}), FAIL, "another issuer: None"),
    "another issuer": (issuer("a", metadata={"issuer": ISSUER + "/"}), FAIL, "character by"),
    "no key set": (issuer("a", kids=None), FAIL, "jwks_uri"),
    "keys of another server": (issuer("c"), FAIL, "uses another database"),
    "an old key set": (issuer("a", "b", "c"), WARN, "missing there: c"),
    "certificate": (issuer("a", certificate_seconds=2 * DAY), WARN, "expires in 2 days"),
    "issuer: clock": (issuer("a", clock_ahead_seconds=-90.0), WARN, "differ by 1 minute"),
    "issuer on loopback": (
        [it for it in [check_address("http://localhost:8000", "localhost")] if it], WARN, "this machine only"
    ),
    **{
        f"issuer cannot be reached: {it}": ([check_unreachable(ISSUER, it, "")], FAIL, it)
        for it in (*OutboundFailure, "status", "document")
    },
}  # fmt: skip


@pytest.mark.parametrize("findings", FINE.values(), ids=FINE)
def test_valid_installation_has_no_problems(findings: Findings) -> None:
    assert {it.level for it in findings} == {Level.OK}


@pytest.mark.parametrize(("findings", "level", "words"), PROBLEMS.values(), ids=PROBLEMS)
def test_one_problem_is_found_and_comes_with_advice(findings: Findings, level: Level, words: str) -> None:
    (problem,) = [it for it in findings if it.level is not Level.OK]

    assert problem.level is level
    assert problem.advice
    assert words in f"{problem.message}: {problem.advice}"


def test_public_issuer_is_not_on_loopback() -> None:
    assert check_address(ISSUER, "id.example.com") is None


def test_durations_in_words() -> None:
    words = {0: "0 seconds", 1.9: "1 second", 61: "1 minute", 7200: "2 hours", 90 * DAY: "90 days"}

    assert {it: in_words(it) for it in words} == words


def test_reason_that_several_keys_share_is_given_once() -> None:
    assert len(list(signing_keys(a="cannot be decrypted", b="cannot be decrypted"))) == 1


@pytest.mark.anyio
async def test_age_of_a_cached_response_is_no_difference_of_clocks() -> None:
    class Cache(OutboundClient):
        async def get(self, uri: str, *, accept: str = "") -> OutboundResponse:
            return OutboundResponse(200, {"date": "Thu, 01 Jan 1970 00:10:00 GMT", "age": "300"}, b"{}")

    cache = Cache(allow_private_addresses=True)
    published = await read_published_issuer("http://127.0.0.1", cache, lambda: 900.0)
    assert published.clock_ahead_seconds == 0
