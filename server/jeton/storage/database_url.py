"""Parsing of `database.url`.

No error quotes a part of a malformed URL, because it may belong to the password.
"""

import re
from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from sqlalchemy.engine import URL

# At most one @, before the hosts: a password that contains / ? or @ leads to a second one.
_POSTGRESQL: Final = re.compile(
    r"((?P<user>[^:@/?#]*)(:(?P<password>[^@/?#]*))?@)?(?P<hosts>[^@/?#]*)(/(?P<name>[^@?#]*))?(\?(?P<query>[^@#]*))?"
)
_LONE_PERCENT: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_HOST: Final = re.compile(r"(\[(?P<address>[0-9A-Fa-f:.]+(%[\w.-]+)?)\]|(?P<name>[^:\[\]]+))(:(?P<port>\d{1,5}))?")
_BARE_ADDRESS: Final = re.compile(r"[0-9A-Fa-f]*:[0-9A-Fa-f]*:[0-9A-Fa-f:.]*(%[\w.-]+)?")
_PORT: Final = re.compile(r"\d{1,5}")


class DatabaseUrlError(Exception):
    """`database.url` is not usable."""


def is_sqlite(text: str) -> bool:
    """Return whether the URL names an SQLite file."""
    return text.lower().startswith("sqlite")


def parse_database_url(text: str) -> URL:
    """Return the URL in SQLAlchemy's terms. Raise DatabaseUrlError if it is not usable."""
    scheme, separator, rest = text.partition("://")
    scheme = scheme.lower()
    if not separator:
        raise DatabaseUrlError("database.url is not a URL: use sqlite:///FILE or postgresql://USER@HOST/NAME")
    if not text.isprintable():
        raise DatabaseUrlError("database.url must not hold control characters or line breaks")
    if text[0] in " \"'":
        raise DatabaseUrlError("database.url begins with a space or a quotation mark: remove those around the URL")
    if scheme in ("sqlite", "sqlite+pysqlite"):
        return _parse_sqlite(rest)
    if scheme in ("postgresql", "postgres", "postgresql+psycopg"):
        return _parse_postgresql(rest)
    if "postgres" in scheme:
        raise DatabaseUrlError("database.url: Jeton has a driver of its own: write postgresql://USER@HOST/NAME")
    if "sqlite" in scheme:
        raise DatabaseUrlError("database.url: Jeton has a driver of its own: write sqlite:///FILE")
    raise DatabaseUrlError("database.url must begin with sqlite:/// or postgresql://")


def sqlite_file(text: str) -> Path | None:
    """Return the SQLite file that the URL names, or None if it names another database."""
    url = parse_database_url(text)
    return Path(url.database) if is_sqlite(text) and url.database else None


def mask_database_url(text: str) -> str:
    """Return the URL with every password in it masked, also one among its parameters."""
    url = parse_database_url(text)
    masked = {name: "***" for name in url.query if _parameters()[name]}
    return url.update_query_dict(masked).render_as_string(hide_password=True)


def _parse_sqlite(rest: str) -> URL:
    if not rest.startswith("/"):
        raise DatabaseUrlError(
            "database.url: write sqlite:///FILE with three slashes, or four where FILE begins with /"
        )
    file, has_parameters, _ = rest.removeprefix("/").partition("?")
    if not file or file == ":memory:":
        raise DatabaseUrlError("database.url must name a file: an SQLite database in memory is gone at the next start")
    if has_parameters:
        raise DatabaseUrlError("database.url: an SQLite URL has no parameters: remove the ? and what follows it")
    return URL.create("sqlite", database=file)


def _parse_postgresql(rest: str) -> URL:
    parts = _POSTGRESQL.fullmatch(rest)
    if parts is None or " " in rest or _LONE_PERCENT.search(rest):
        raise DatabaseUrlError(
            "database.url: percent-encode special characters in the user name and the password: "
            "@ is %40, / is %2F, ? is %3F, # is %23, % is %25, a space is %20"
        )
    parameters = _parse_parameters(parts["query"] or "")
    if listed := parameters.pop("host", None):
        places = [(host, "") if _BARE_ADDRESS.fullmatch(host) else _parse_host(host) for host in listed]
    else:
        places = [_parse_host(host) for host in parts["hosts"].split(",") if parts["hosts"]]
        places = [(_decode(host) or "", port) for host, port in places]
    ports = parameters.pop("port", None) or [port for _, port in places]
    where = _hosts_and_ports([host for host, _ in places], ports)
    if len(places) > 1:
        parameters.setdefault("target_session_attrs", ["read-write"])
    query = {name: values[0] for name, values in parameters.items()}
    return URL.create(
        "postgresql",
        username=_decode(parts["user"]),
        password=_decode(parts["password"]),
        database=_decode(parts["name"]),
        host=where.pop("only_host", None),
        port=where.pop("only_port", None),
        query=query | where,
    )


def _hosts_and_ports(hosts: list[str], ports: list[str]) -> dict[str, Any]:
    """Return one host in its own place, and several, or a socket, as the parameters that libpq has for them."""
    if not all(_PORT.fullmatch(port) and 1 <= int(port) <= 65535 for port in ports if port):
        raise _malformed_host()
    if len(ports) not in (0, 1, len(hosts)):
        raise DatabaseUrlError("database.url: name one port for all hosts, or one for each")
    if len(hosts) == 1 and not hosts[0].startswith(("/", "@")):
        return {"only_host": hosts[0], "only_port": int(ports[0]) if ports and ports[0] else None}
    ports = ports * len(hosts) if len(ports) == 1 and hosts else ports
    lists = {"host": ",".join(hosts), "port": ",".join(port or "5432" for port in ports) if any(ports) else ""}
    return {name: value for name, value in lists.items() if value}


def _parse_host(text: str) -> tuple[str, str]:
    """Return host and port, "" for none; a host that begins with / or @ is a socket."""
    if text.startswith(("/", "@")):
        return text, ""
    found = _HOST.fullmatch(text)
    if found is None:
        raise _malformed_host()
    return found["address"] or found["name"], found["port"] or ""


def _malformed_host() -> DatabaseUrlError:
    return DatabaseUrlError(
        "database.url: write each host as HOST or HOST:PORT, an IPv6 address in brackets; ports are 1 to 65535, and "
        "a user name and a password end with @"
    )


def _parse_parameters(query: str) -> dict[str, list[str]]:
    """Return what stands after the ?, by name. Only `host` and `port` may be given several times, or as lists."""
    found: dict[str, list[str]] = {}
    for number, pair in enumerate(filter(None, query.split("&")), 1):
        # `ssl=true` is JDBC's word, and libpq takes it in URLs as well.
        name, _, value = ("sslmode=require" if pair == "ssl=true" else pair).partition("=")
        if name not in _parameters():
            likely = get_close_matches(name, _parameters(), 1)
            hint = f"did you mean {likely[0]}?" if likely else "see PostgreSQL's manual, Parameter Key Words"
            raise DatabaseUrlError(f"database.url: PostgreSQL has no such parameter as number {number} of them: {hint}")
        if name in ("host", "port"):
            found.setdefault(name, []).extend((_decode(value) or "").split(","))
        elif name in found:
            raise DatabaseUrlError(f"database.url: {name} is given twice")
        else:
            found[name] = [_decode(value) or ""]
    return found


def _decode(text: str | None) -> str | None:
    """Return the text without percent-encoding, or None if there is none."""
    try:
        decoded = unquote_to_bytes(text or "").decode("utf-8")
    except UnicodeDecodeError:
        raise DatabaseUrlError("database.url: what is percent-encoded must be UTF-8") from None
    if "\0" in decoded:
        raise DatabaseUrlError("database.url must not hold %00")
    return decoded or None


@cache
def _parameters() -> Mapping[str, bytes]:
    """Return libpq's connection parameters with their display option: those that it masks, or shows to experts only,
    may be secrets.
    """
    # A server on SQLite does not load the driver of PostgreSQL.
    from psycopg.pq import Conninfo

    return {option.keyword.decode(): option.dispchar for option in Conninfo.get_defaults()}
