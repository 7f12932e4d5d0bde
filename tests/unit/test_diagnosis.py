"""Checks of `jeton doctor`: which facts are failures, and which are only worth a warning."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jeton.admin.diagnosis.database import check_postgresql, check_sqlite, check_writable
from jeton.admin.diagnosis.findings import Finding, Level, in_words
from jeton.admin.diagnosis.issuer import PublishedIssuer, check_address, check_issuer, check_unreachable
from jeton.admin.diagnosis.metrics import check_metrics
from jeton.admin.diagnosis.proxies import check_proxies
from jeton.admin.diagnosis.secret_files import SecretFile, check_secret_files
from jeton.admin.diagnosis.signing_keys import check_signing_keys
from jeton.outbound.messages import OutboundFailure
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
KEYS = (ACTIVE, replace(ACTIVE, kid="b", state=KeyState.NEXT, activated_at=None, longest_seconds=0))


def problems(findings: Iterable[Finding]) -> list[tuple[Level, str]]:
    """Return the findings that are not ok. Each has an advice, and something else is said if there is none."""
    found = list(findings)
    assert found
    assert all(it.advice for it in found if it.level is not Level.OK)
    return [(it.level, f"{it.message}: {it.advice}") for it in found if it.level is not Level.OK]


def assert_problem(findings: Iterable[Finding], level: Level | None, words: str) -> None:
    """Assert that there is exactly one problem of this level with these words, or none."""
    found = problems(findings)
    assert [it for it, _ in found] == ([] if level is None else [level]), found
    assert all(words in said for _, said in found), found


@pytest.mark.parametrize(
    ("changes", "workers", "level", "words"),
    [
        pytest.param({}, 2, None, "", id="as it should be"),
        pytest.param({"version": "13.1", "version_number": 130001}, 2, Level.WARN, "older than 15", id="version"),
        pytest.param({"durability": {**DURABLE, "fsync": "off"}}, 2, Level.WARN, "set fsync = on", id="fsync"),
        pytest.param({"tables_without_privileges": ("users",)}, 2, Level.FAIL, "GRANT SELECT", id="privileges"),
        pytest.param({"may_change_audit_trail": True}, 2, None, "", id="owner"),
        pytest.param({}, 7, Level.WARN, "105 connections, and max_connections is 100", id="connections"),
        pytest.param({"is_pooled": True}, 7, None, "", id="connections of a pooler"),
        pytest.param({"clock_ahead_seconds": -7.2}, 2, Level.WARN, "7 seconds behind this machine", id="clock"),
        pytest.param({"clock_ahead_seconds": 3600.0}, 2, Level.FAIL, "1 hour ahead of this machine", id="wrong clock"),
    ],
)
def test_postgresql(changes: dict[str, Any], workers: int, level: Level | None, words: str) -> None:
    assert_problem(check_postgresql(replace(POSTGRESQL, **changes), workers), level, words)


@pytest.mark.parametrize(
    ("changes", "level", "words"),
    [
        pytest.param({}, None, "", id="as it should be"),
        pytest.param({"is_writable": False}, Level.FAIL, "may not write", id="permissions"),
        pytest.param({"file_system": "nfs4"}, Level.FAIL, "network file system (nfs4)", id="network file system"),
        pytest.param({"free_bytes": 5 * 2**20}, Level.WARN, "5 MiB are free", id="disk"),
    ],
)
def test_sqlite(changes: dict[str, Any], level: Level | None, words: str) -> None:
    assert_problem(check_sqlite(replace(SQLITE, **changes)), level, words)


def test_database_that_refuses_writes_is_a_failure() -> None:
    assert_problem([check_writable(writable=True)], None, "")
    assert_problem([check_writable(writable=False)], Level.FAIL, "name the primary")


@pytest.mark.parametrize(
    ("keys", "unusable", "now", "level", "words"),
    [
        pytest.param(KEYS, {}, NOW, None, "", id="as it should be"),
        pytest.param((), {}, NOW, Level.WARN, "its first start creates them", id="none"),
        pytest.param(KEYS, {"a": "cannot be decrypted"}, NOW, Level.FAIL, "cannot be decrypted", id="unusable"),
        pytest.param(KEYS, {}, NOW + 91 * DAY, Level.WARN, "active 1 day ago", id="rotation is overdue"),
        pytest.param(KEYS, {}, NOW - 2 * DAY, Level.FAIL, "2 days from now", id="created in the future"),
    ],
)
def test_signing_keys(
    keys: tuple[SigningKey, ...], unusable: dict[str, str], now: int, level: Level | None, words: str
) -> None:
    assert_problem(check_signing_keys(keys, unusable, now, TIMINGS), level, words)


@pytest.mark.parametrize(
    ("mode", "words"),
    [(0o600, ""), (0o400, ""), (0o440, ""), (0o640, ""), (0o644, "every user may read"), (0o604, "every user may read"),
     (0o666, "every user may write"), (0o660, "its group may write")],
)  # fmt: skip
def test_secret_file(mode: int, words: str) -> None:
    file = SecretFile(Path("/etc/jeton/master_key"), "the master key", 0o100000 | mode)
    assert_problem(check_secret_files([file]), Level.FAIL if words else None, words)


@pytest.mark.parametrize(
    ("issuer", "host", "trusted", "level", "words"),
    [
        pytest.param("http://127.0.0.1:8000", "127.0.0.1", (), None, "", id="without a proxy"),
        pytest.param(ISSUER, "::", ("10.0.0.0/8",), None, "", id="proxy elsewhere"),
        pytest.param(ISSUER, "127.0.0.1", ("127.0.0.1",), None, "", id="proxy on this machine"),
        pytest.param(ISSUER, "::1", ("::1",), None, "", id="proxy on this machine, IPv6"),
        pytest.param(ISSUER, "127.0.0.1", (), Level.WARN, "all users share its address", id="no proxy is trusted"),
        pytest.param(ISSUER, "127.0.0.1", ("10.0.0.1",), Level.FAIL, "add 127.0.0.1", id="another proxy is trusted"),
        pytest.param(ISSUER, "::", ("8.8.0.0/16",), Level.WARN, "8.8.0.0/16", id="a public network is trusted"),
    ],
)
def test_proxies(issuer: str, host: str, trusted: tuple[str, ...], level: Level | None, words: str) -> None:
    assert_problem(check_proxies(issuer, host, trusted), level, words)


@pytest.mark.parametrize(
    ("host", "level"),
    [("127.0.0.1", None), ("::1", None), ("localhost", None), ("10.1.2.3", None), ("0.0.0.0", Level.WARN),
     ("::", Level.WARN), ("8.8.8.8", Level.WARN), ("db.example.com", Level.WARN)],
)  # fmt: skip
def test_metrics(host: str, level: Level | None) -> None:
    assert_problem([check_metrics(host, 9464)], level, "firewall")


@pytest.mark.parametrize(
    ("changes", "stored", "level", "words"),
    [
        pytest.param({}, {"a", "b"}, None, "", id="as it should be"),
        pytest.param({}, set(), None, "", id="the database is not known"),
        pytest.param({"certificate_seconds": None}, {"a"}, None, "", id="without TLS"),
        pytest.param({"metadata": {}}, {"a"}, Level.FAIL, "another issuer: None", id="issuer is missing"),
        pytest.param({"metadata": {"issuer": ISSUER + "/"}}, {"a"}, Level.FAIL, "character by", id="another issuer"),
        pytest.param({"kids": None}, {"a"}, Level.FAIL, "jwks_uri", id="no key set"),
        pytest.param({}, {"c"}, Level.FAIL, "uses another database", id="keys of another server"),
        pytest.param({}, {"a", "b", "c"}, Level.WARN, "missing there: c", id="an old key set"),
        pytest.param({"certificate_seconds": 2 * DAY}, {"a"}, Level.WARN, "expires in 2 days", id="certificate"),
        pytest.param({"clock_ahead_seconds": -90.0}, {"a"}, Level.WARN, "differ by 1 minute", id="clock"),
    ],
)
def test_issuer(changes: dict[str, Any], stored: set[str], level: Level | None, words: str) -> None:
    assert_problem(check_issuer(ISSUER, replace(PUBLISHED, **changes), stored), level, words)


@pytest.mark.parametrize("reason", [*OutboundFailure, "status", "document"])
def test_unreachable_issuer_is_a_failure_with_an_advice(reason: str) -> None:
    assert_problem([check_unreachable(ISSUER, reason, "")], Level.FAIL, reason)


def test_issuer_on_loopback_is_a_warning() -> None:
    local = check_address("http://localhost:8000", "localhost")
    assert local is not None
    assert_problem([local], Level.WARN, "this machine only")
    assert check_address(ISSUER, "id.example.com") is None


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 seconds"), (1.9, "1 second"), (61, "1 minute"), (7200, "2 hours"), (90 * DAY, "90 days")],
)
def test_durations_in_words(seconds: float, words: str) -> None:
    assert in_words(seconds) == words
