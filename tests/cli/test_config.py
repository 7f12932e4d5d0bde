"""jeton config: settings are validated, printed without secrets, and explained."""

from pathlib import Path

import msgspec
import pytest

from jeton.config import load_settings
from support.cli_runner import CommandLine
from support.in_process_server import MASTER_KEY

POSTGRESQL = "postgresql://jeton:hunter2@db.example/jeton"


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    """A command line without any settings."""
    monkeypatch.chdir(tmp_path)
    return CommandLine({})


def _file(cli: CommandLine, text: str) -> str:
    file = Path("settings.toml")
    file.write_text(text, encoding="utf-8")
    return str(file)


def test_defaults_apply_without_settings(cli: CommandLine) -> None:
    shown = cli.json("config", "check")

    assert shown == msgspec.json.decode(msgspec.json.encode(load_settings(environment={}), enc_hook=str))


def test_check_prints_one_line_per_setting(cli: CommandLine) -> None:
    lines = cli.text("config", "check").splitlines()

    assert 'server.issuer = "http://127.0.0.1:8000"' in lines
    assert "tokens.access_seconds = 600" in lines
    assert "grants.password = true" in lines


def test_check_creates_no_files(cli: CommandLine) -> None:
    cli.text("config", "check")

    assert list(Path().iterdir()) == []


@pytest.mark.requirement("A50", "O14")
@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (POSTGRESQL, "postgresql://jeton:***@db.example/jeton"),
        ("postgresql://db.example/jeton?user=jeton&password=hunter2", None),
        ("postgresql://jeton@db.example/jeton?sslpassword=hunter2", None),
    ],
    ids=["password", "password parameter", "key password parameter"],
)
@pytest.mark.parametrize("form", [(), ("--json",)], ids=["text", "json"])
def test_secrets_are_masked(cli: CommandLine, url: str, shown: str | None, form: tuple[str, ...]) -> None:
    set_up = cli.with_variables(DATABASE__URL=url, SECRETS__MASTER_KEY=MASTER_KEY)

    text = set_up.text("config", "check", *form)

    assert "hunter2" not in text
    assert MASTER_KEY not in text
    assert '"***"' in text
    assert shown is None or shown in text


# Where settings come from.


def test_environment_overrides_file_and_file_overrides_default(cli: CommandLine) -> None:
    file = _file(cli, "[tokens]\naccess_seconds = 60\nrefresh_idle_seconds = 70\n")

    shown = cli.with_variables(TOKENS__ACCESS_SECONDS="50").json("config", "check", "--config", file)["tokens"]

    assert (shown["access_seconds"], shown["refresh_idle_seconds"]) == (50, 70)
    assert shown["refresh_absolute_seconds"] == 7776000


def test_config_option_overrides_config_variable(cli: CommandLine) -> None:
    Path("one.toml").write_text("[server]\nport = 1\n", encoding="utf-8")
    Path("two.toml").write_text("[server]\nport = 2\n", encoding="utf-8")
    by_variable = cli.with_variables(CONFIG="one.toml")

    assert by_variable.json("config", "check")["server"]["port"] == 1
    assert by_variable.json("config", "check", "--config", "two.toml")["server"]["port"] == 2


def test_default_configuration_file_is_read(cli: CommandLine) -> None:
    Path("config").mkdir()
    Path("config/jeton.toml").write_text("[server]\nport = 3\n", encoding="utf-8")

    assert cli.json("config", "check")["server"]["port"] == 3


def test_file_variable_reads_value_from_file(cli: CommandLine) -> None:
    Path("secret").write_text(POSTGRESQL + "\n", encoding="utf-8")
    set_up = cli.with_variables(DATABASE__URL_FILE="secret", SECRETS__MASTER_KEY=MASTER_KEY)

    assert set_up.json("config", "check")["database"]["url"] == "postgresql://jeton:***@db.example/jeton"


def test_default_issuer_contains_port_and_default_audience_is_issuer(cli: CommandLine) -> None:
    shown = cli.with_variables(SERVER__PORT="9000").json("config", "check")

    assert shown["server"]["issuer"] == shown["tokens"]["default_audience"] == "http://127.0.0.1:9000"


def test_example_contains_every_setting_with_its_default(cli: CommandLine) -> None:
    example = cli.text("config", "example")
    defaults = cli.json("config", "check")

    assert cli.json("config", "check", "--config", _file(cli, example)) == defaults
    assert [key for section in defaults.values() for key in section if key not in example] == []


@pytest.mark.parametrize("words", [("config", "check"), ("user", "list", "--json")], ids=" ".join)
def test_unknown_variables_cause_one_warning_line(cli: CommandLine, words: tuple[str, ...]) -> None:
    result = cli.with_variables(PORT="tcp://10.0.0.1:80", SERVER_PORT="9000").run(*words)

    assert result.exit_code == 0
    assert result.stderr == (
        "jeton: ignored, because they are not settings: "
        "JETON_PORT, JETON_SERVER_PORT (did you mean JETON_SERVER__PORT?)\n"
    )


# What is refused.


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"TOKENS__ACCES_SECONDS": "60"}, "JETON_TOKENS__ACCES_SECONDS is not a setting"),
        ({"NONSENSE__KEY": "1"}, "JETON_NONSENSE__KEY is not a setting"),
        ({"SERVER__PORT": "http"}, "$.server.port"),
        ({"SERVER__PORT": "0"}, "$.server.port"),
        ({"SERVER__PORT": "65536"}, "$.server.port"),
        ({"KEYS__ALGORITHM": "none"}, "$.keys.algorithm"),
        ({"KEYS__RSA_BITS": "1024"}, "$.keys.rsa_bits"),
        ({"GRANTS__PASSWORD": "perhaps"}, "$.grants.password"),
        ({"TOKENS__ACCESS_SECONDS": "86401"}, "$.tokens.access_seconds"),
        ({"TOKENS__REFRESH_IDLE_SECONDS": "9", "TOKENS__REFRESH_ABSOLUTE_SECONDS": "8"}, "refresh_idle_seconds"),
        ({"SERVER__TRUSTED_PROXIES": "*"}, "server.trusted_proxies"),
        ({"SERVER__ISSUER": "http://id.example"}, "https"),
        ({"SERVER__ISSUER": "https://id.example/?a=b"}, "RFC 8414"),
        ({"SERVER__ISSUER": "https://id.example/#a"}, "RFC 8414"),
        ({"SERVER__ISSUER": "id.example"}, "https URL"),
        ({"DATABASE__URL": "mysql://db.example/jeton"}, "sqlite:/// or postgresql://"),
        ({"DATABASE__URL": "sqlite:///:memory:"}, "must name a file"),
        ({"DATABASE__URL": "nonsense"}, "database.url"),
        ({"CONFIG": "nowhere.toml"}, "nowhere.toml"),
        ({"DATABASE__URL_FILE": "nowhere"}, "JETON_DATABASE__URL_FILE"),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, dict) else "",
)
def test_invalid_setting_is_refused_by_name(cli: CommandLine, variables: dict[str, str], words: str) -> None:
    assert words in cli.with_variables(**variables).refused("config", "check")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[tokens]\nacces_seconds = 60\n", "acces_seconds"),
        ("[nonsense]\n", "nonsense"),
        ("[tokens\n", "settings.toml"),
        ("tokens = 1\n", "$.tokens"),
        ("[server]\nport = 'http'\n", "$.server.port"),
        ("[database]\nurl = 5\n", "$.database.url"),
    ],
    ids=["unknown key", "unknown section", "no TOML", "no section", "no number", "no text"],
)
def test_unusable_configuration_file_is_refused(cli: CommandLine, text: str, words: str) -> None:
    assert words in cli.refused("config", "check", "--config", _file(cli, text))


def test_value_in_place_of_a_section_is_refused_despite_a_variable(cli: CommandLine) -> None:
    file = _file(cli, "tokens = 1\n")

    assert "tokens" in cli.with_variables(TOKENS__ACCESS_SECONDS="60").refused("config", "check", "--config", file)


def test_value_set_directly_and_by_file_is_refused(cli: CommandLine) -> None:
    Path("secret").write_text(POSTGRESQL, encoding="utf-8")

    sentence = cli.with_variables(DATABASE__URL=POSTGRESQL, DATABASE__URL_FILE="secret").refused("config", "check")

    assert "JETON_DATABASE__URL is set twice" in sentence


@pytest.mark.requirement("A50", "O18")
@pytest.mark.parametrize("variables", [{"DATABASE__URL": "my-secret-text"}, {"SECRETS__MASTER_KEY": "my-secret-text"}])
def test_invalid_secret_is_not_printed(cli: CommandLine, variables: dict[str, str]) -> None:
    result = cli.with_variables(**variables).run("config", "check")

    assert "my-secret-text" not in result.output + str(result.exception)


@pytest.mark.requirement("F07")
def test_invalid_master_key_is_refused(cli: CommandLine) -> None:
    assert "32 random bytes" in cli.with_variables(SECRETS__MASTER_KEY="short").refused("config", "check")


def test_postgresql_without_master_key_is_refused(cli: CommandLine) -> None:
    assert "secrets.master_key" in cli.with_variables(DATABASE__URL=POSTGRESQL).refused("config", "check")
