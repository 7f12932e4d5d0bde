"""Database errors as one sentence with advice. Without values, which are in the lines after the first."""

import re
from typing import Final

from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from jeton.storage.audit_privileges import AUDIT_TABLES

_INSUFFICIENT_PRIVILEGE: Final = "42501"
_DENIED: Final = re.compile(r"permission denied for (?P<kind>schema|\w+) (?P<name>\S+)")

# The first pattern found in the message applies. Databases and drivers write English unless configured otherwise.
_ADVICE: Final = tuple(
    (re.compile(pattern), advice)
    for pattern, advice in (
        ("password authentication failed|no password supplied", "set user and password in database.url"),
        ("authentication failed for user", "set the user in database.url, or how it logs in, in pg_hba.conf"),
        (r"pg_hba\.conf", "allow this user, database and address in pg_hba.conf; it may want sslmode=require"),
        ("role .* does not exist", "create it with createuser, or set the user in database.url"),
        ("database .* does not exist", "create it with createdb -E UTF8 -T template0, or set the name in database.url"),
        ("starting up|shutting down|not yet accepting", "try again in a moment"),
        ("read-only|not read-write|hot standby|recovery", "name the primary, or every host, in database.url"),
        ("too many clients|too many connections|connection slots", "raise max_connections, or use fewer workers"),
        # PgBouncer's answer to BEGIN in statement mode.
        ("transaction blocks not allowed", "set pool_mode = transaction (or session) in the connection pooler"),
        ("SSL|certificate", "set sslmode and sslrootcert in database.url"),
        ("could not translate host name|resolve", "set the host in database.url"),
        (
            "refused|No such file or directory|timeout expired|unreachable|No route to host",
            "is PostgreSQL running there, and are host and port in database.url right?",
        ),
        ("database is locked", "another program is writing: wait for it, or stop it"),
        ("disk is full|No space left", "free some space"),
        ("unable to open|readonly database|disk I/O", "Jeton must be allowed to write the file and its folder"),
    )
)


def sqlstate(error: BaseException) -> str | None:
    """Return PostgreSQL's code of an error; None for any other error."""
    return getattr(error.orig, "sqlstate", None) if isinstance(error, DBAPIError) else None


def is_denied(error: BaseException) -> bool:
    """Return whether the role that Jeton connects as lacks a privilege."""
    return sqlstate(error) == _INSUFFICIENT_PRIVILEGE


def describe_database_error(error: BaseException, url: URL) -> str:
    """Return the database's message in one line, and what to do about it."""
    said = str(getattr(error, "orig", None) or error).strip().partition("\n")[0].removeprefix("connection failed: ")
    if is_denied(error):
        return f"{said}: {_grant(said, url.username or 'ROLE')}"
    advice = next((advice for pattern, advice in _ADVICE if pattern.search(said)), None)
    return said if advice is None else f"{said}: {advice}"


def _grant(said: str, role: str) -> str:
    denied = _DENIED.match(said)
    if denied is None:
        return "run `jeton migrate` as the role that owns the tables"
    quoted = '"' + role.replace('"', '""') + '"'
    if denied["kind"] == "schema":
        return f"to migrate, the database's owner must GRANT USAGE, CREATE ON SCHEMA {denied['name']} TO {quoted}"
    if denied["name"] in AUDIT_TABLES:
        return f"use the role that owns the tables; a server needs SELECT, INSERT on {denied['name']}"
    return f"their owner must GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {quoted}"
