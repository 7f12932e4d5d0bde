"""`database.url`: accepted forms, how they reach the driver, and refusals that do not show passwords."""

from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

from jeton.storage.database import Database
from jeton.storage.database_url import DatabaseUrlError, mask_database_url, parse_database_url


def connect_arguments(url: str) -> dict[str, Any]:
    """Return the arguments with which the driver is called."""
    dialect: Any = PGDialect_psycopg
    return dict(dialect().create_connect_args(parse_database_url(url))[1])


SEVERAL = {"host": "a,b", "port": "5433,5432", "dbname": "jeton", "target_session_attrs": "read-write"}


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgres://jeton@db/jeton", {"host": "db", "user": "jeton", "dbname": "jeton"}),
        ("postgresql+psycopg://db/jeton", {"host": "db", "dbname": "jeton"}),
        ("POSTGRESQL://db", {"host": "db"}),
        ("postgresql://a:5433,b/jeton", SEVERAL),
        ("postgresql:///jeton?host=a:5433&host=b", SEVERAL),
        ("postgresql:///jeton?host=a,b&port=5433,5432", SEVERAL),
        ("postgresql://a,b/jeton?port=5433&target_session_attrs=any",
         SEVERAL | {"port": "5433,5433", "target_session_attrs": "any"}),
        ("postgresql://a,b/jeton", SEVERAL | {"port": ","}),
        ("postgresql://[::1]:5433/jeton", {"host": "::1", "port": 5433, "dbname": "jeton"}),
        ("postgresql://[::1]:5433,[::2]/jeton", SEVERAL | {"host": "::1,::2"}),
        ("postgresql://jeton@%2Frun%2Fpg/jeton", {"host": "/run/pg", "user": "jeton", "dbname": "jeton"}),
        ("postgresql://%2Frun%2Fpg:5433/jeton", {"host": "/run/pg", "port": "5433", "dbname": "jeton"}),
        ("postgresql:///jeton?host=/cloudsql/a:b:c&port=5433",
         {"host": "/cloudsql/a:b:c", "port": "5433", "dbname": "jeton"}),
        ("postgresql://u:p%40%2F%25:@db", {"host": "db", "user": "u", "password": "p@/%:"}),
        ("postgresql://db/?sslmode=verify-full&sslrootcert=/etc/ca.pem",
         {"host": "db", "sslmode": "verify-full", "sslrootcert": "/etc/ca.pem"}),
        ("postgresql://db/?ssl=true", {"host": "db", "sslmode": "require"}),
        ("postgresql://db?user=u&password=p", {"host": "db", "user": "u", "password": "p"}),
    ],
)  # fmt: skip
def test_urls_are_accepted_as_platforms_and_manuals_write_them(url: str, expected: dict[str, Any]) -> None:
    assert connect_arguments(url) == expected
    assert connect_arguments(parse_database_url(url).render_as_string(hide_password=False)) == expected


@pytest.mark.parametrize("scheme", ["sqlite", "sqlite+pysqlite"])
def test_the_path_of_a_sqlite_file_is_taken_literally(scheme: str) -> None:
    assert parse_database_url(f"{scheme}:////var/a%20b.db").database == "/var/a%20b.db"


@pytest.mark.parametrize(
    ("url", "advice"),
    [
        *((f"{scheme}://u:secret@h/n", "write postgresql://")
          for scheme in ("postgresql+asyncpg", "postgresql+psycopg2", "postgresql+psycopg_async", "jdbc:postgresql")),
        ("sqlite+aiosqlite:///secret.db", "write sqlite:///"),
        ("mysql://u:secret@h/n", "must begin with"),
        ("sqlite://secret.db", "three slashes"),
        ("sqlite:///", "must name a file"),
        ("sqlite:///x.db?secret=1", "no parameters"),
        ("host=h user=u password=secret", "is not a URL"),
        ("secret", "is not a URL"),
        ("postgresql://u:sec\nret@h/n", "control characters"),
        ('"postgresql://u:secret@h/n"', "quotation mark"),
        (" sqlite:///jeton.db", "a space"),
        *((f"postgresql://u:secret{mark}secret@h/n", "percent-encode")
          for mark in ("@", "/", "#", "?", "%", " ", "%zz", "?a=", "@/", "/@", "1?port=", "@h/n?sslmode=")),
        ("postgresql://u:secret", "end with @"),
        ("postgresql://u:65536@h:65536/n", "1 to 65535"),
        ("postgresql://::1/n", "in brackets"),
        ("postgresql://a,,b/n", "each host"),
        ("postgresql:///n?host=a,b&port=1,2,3", "one port for all"),
        ("postgresql://h/n?_secret_=1", "number 1 of them: see"),
        ("postgresql://h/n?user=u&sslmod=secret", "number 2 of them: did you mean sslmode?"),
        ("postgresql://h/n?sslmode=secret&sslmode=secret", "sslmode is given twice"),
        ("postgresql://u:secret%ff@h/n", "UTF-8"),
        ("postgresql://u:secret%00@h/n", "%00"),
    ],
)  # fmt: skip
def test_unusable_urls_are_refused_with_advice_and_not_quoted(url: str, advice: str) -> None:
    with pytest.raises(DatabaseUrlError) as refusal:
        parse_database_url(url)

    assert advice in str(refusal.value)
    assert "secret" not in str(refusal.value)


def test_parameters_that_may_be_secret_are_masked() -> None:
    url = "postgresql://u:secret@h/n?sslpassword=secret&oauth_client_secret=secret&scram_client_key=secret&sslmode=require"

    assert "secret" not in mask_database_url(url).replace("client_secret", "")
    assert "sslmode=require" in mask_database_url(url)


@pytest.mark.parametrize("preferred", ["LATIN1", "SQL_ASCII"])
def test_the_url_overrides_the_server_s_settings_but_the_encoding_is_utf8(
    postgresql_url: str, preferred: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGCLIENTENCODING", preferred)
    names = ("application_name", "client_encoding")
    for parameters, expected in (
        ("", ["jeton", "UTF8"]),
        (f"&application_name=other&client_encoding={preferred}", ["other", "UTF8"]),
    ):
        database = Database(postgresql_url + parameters)
        with database.read() as connection:
            assert [connection.scalar(text(f"SHOW {name}")) for name in names] == expected
        database.close()


@pytest.mark.parametrize("spelling", ["host=/nowhere,{}", "host=/nowhere&host={}"], ids=["libpq", "SQLAlchemy"])
def test_of_several_hosts_the_one_that_answers_is_used(postgresql_url: str, spelling: str) -> None:
    base, _, folder = postgresql_url.partition("?host=")
    database = Database(f"{base}?{spelling.format(folder)}")

    with database.read() as connection:
        assert connection.scalar(text("SELECT 1")) == 1
    database.close()
