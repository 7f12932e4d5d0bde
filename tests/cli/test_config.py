"""jeton config: settings are validated, printed without secrets, and explained."""

from pathlib import Path

import msgspec
import pytest

from jeton.config.loading import load_settings
from support.cli_runner import CommandLine
from support.in_process_server import MASTER_KEY

POSTGRESQL = "postgresql://jeton:hunter2@db.example/jeton"


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    """A command line without any settings."""
    monkeypatch.chdir(tmp_path)
    return CommandLine({})


def test_check_prints_defaults_without_settings_and_creates_no_files(cli: CommandLine) -> None:
    lines = cli.text("config", "check").splitlines()

    expected = ['server.issuer = "http://127.0.0.1:8000"', "tokens.access_seconds = 600", "grants.password = true"]
    assert set(expected) - set(lines) == set()
    defaults = msgspec.json.decode(msgspec.json.encode(load_settings(environment={}), enc_hook=str))
    assert cli.json("config", "check") == defaults
    assert list(Path().iterdir()) == []


def test_example_contains_every_setting_with_its_default(cli: CommandLine) -> None:
    example, defaults = cli.text("config", "example"), cli.json("config", "check")
    Path("example.toml").write_text(example, encoding="utf-8")

    assert cli.json("config", "check", "--config", "example.toml") == defaults
    assert [key for section in defaults.values() for key in section if key not in example] == []


@pytest.mark.requirement("A50", "O14")
@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (POSTGRESQL, "postgresql://jeton:***@db.example/jeton"),
        ("postgresql://db.example/jeton?user=jeton&password=hunter2", "db.example"),
        ("postgresql://jeton@db.example/jeton?sslpassword=hunter2", "db.example"),
    ],
    ids=["password", "password parameter", "key password parameter"],
)
def test_secrets_are_masked(cli: CommandLine, url: str, shown: str) -> None:
    for form in ((), ("--json",)):
        text = cli.with_variables(DATABASE__URL=url, SECRETS__MASTER_KEY=MASTER_KEY).text("config", "check", *form)
        assert "hunter2" not in text
        assert MASTER_KEY not in text
        assert '"***"' in text
        assert shown in text


def test_variable_overrides_option_overrides_config_variable_overrides_default_file(cli: CommandLine) -> None:
    """The ports 1 to 4, by precedence."""
    Path("config").mkdir()
    for name, port in (("config/jeton.toml", 1), ("two.toml", 2), ("three.toml", 3)):
        Path(name).write_text(f"[server]\nport = {port}\n", encoding="utf-8")
    by_variable, option = cli.with_variables(CONFIG="two.toml"), ("--config", "three.toml")
    shown = [
        cli.json("config", "check"),
        by_variable.json("config", "check"),
        by_variable.json("config", "check", *option),
        by_variable.with_variables(SERVER__PORT="4").json("config", "check", *option),
    ]

    assert [it["server"]["port"] for it in shown] == [1, 2, 3, 4]
    assert shown[3]["server"]["issuer"] == shown[3]["tokens"]["default_audience"] == "http://127.0.0.1:4"


@pytest.mark.parametrize("words", [("config", "check"), ("user", "list", "--json")], ids=" ".join)
def test_unknown_variables_cause_one_warning_line(cli: CommandLine, words: tuple[str, ...]) -> None:
    result = cli.with_variables(PORT="tcp://10.0.0.1:80", SERVER_PORT="9000").run(*words)

    assert result.exit_code == 0
    (warning,) = [it for it in result.stderr.splitlines() if it.startswith("jeton: ignored")]
    assert "JETON_PORT, JETON_SERVER_PORT (did you mean JETON_SERVER__PORT?)" in warning


@pytest.mark.requirement("A50", "F07", "O18")
@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        ({"SERVER__PORT": "65536"}, "server.port must be a whole number <= 65535"),
        ({"CONFIG": "nowhere.toml"}, "nowhere.toml"),
        ({"CONFIG": "bad.toml"}, "acces_seconds"),
        ({"DATABASE__URL_FILE": "nowhere"}, "JETON_DATABASE__URL_FILE"),
        ({"DATABASE__URL": POSTGRESQL}, "secrets.master_key"),
        ({"DATABASE__URL": "sqlite:///:memory:"}, "must name a file"),
        ({"DATABASE__URL": "mysql://u:hunter2@db.example/jeton"}, "sqlite:/// or postgresql://"),
        ({"DATABASE__URL": "hunter2"}, "database.url"),
        ({"SECRETS__MASTER_KEY": "hunter2"}, "32 random bytes"),
        ({"SERVER__ISSUER": "hunter2"}, "server.issuer must be a URL"),
        ({"PAGES__LOGO": "nowhere"}, "the logo nowhere cannot be read"),
        ({"PAGES__TEMPLATES": "nowhere"}, "there is no folder nowhere"),
        ({"SERVER__CLIENT_CERTIFICATE_AUTHORITIES": "nowhere"}, "no certificates in nowhere: No such file"),
    ],
    ids=lambda value: ",".join(f"{name}={it}" for name, it in value.items()) if isinstance(value, dict) else "",
)
def test_check_refuses_what_no_server_starts_with(cli: CommandLine, variables: dict[str, str], reason: str) -> None:
    Path("bad.toml").write_text("[tokens]\nacces_seconds = 60\n", encoding="utf-8")

    said = cli.with_variables(**variables).refused("config", "check")

    assert reason in said
    assert "hunter2" not in said
