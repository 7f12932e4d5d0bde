"""Settings: the documented defaults, where values come from, and that whatever is unknown or wrong is an error."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from jeton.config import ConfigError, Secret, Settings, load_settings

DOCUMENTED = {
    "server.issuer": "http://127.0.0.1:8000",
    "server.host": "127.0.0.1",
    "server.port": 8000,
    "server.workers": 1,
    "server.trusted_proxies": (),
    "database.url": "sqlite:///var/jeton.db",
    "secrets.master_key": "",
    "tokens.access_seconds": 600,
    "tokens.refresh_idle_seconds": 1209600,
    "tokens.refresh_absolute_seconds": 7776000,
    "tokens.default_audience": "http://127.0.0.1:8000",
    "tokens.retry_grace_seconds": 0,
    "tokens.status_list": True,
    "tokens.status_ttl_seconds": 2,
    "keys.algorithm": "RS256",
    "keys.rsa_bits": 2048,
    "keys.rotate_seconds": 90 * 86400,
    "keys.publish_ahead_seconds": 24 * 3600,
    "keys.jwks_max_age_seconds": 300,
    "keys.store": "database",
    "pkcs11.module": "",
    "pkcs11.token_label": "",
    "pkcs11.pin": "",
    "passwords.min_length": 15,
    "passwords.breached_file": "",
    "passwords.memory_kib": 47104,
    "passwords.iterations": 1,
    "passwords.lanes": 1,
    "grants.password": True,
    "limits.login_failures_per_address": 100,
    "limits.login_failures_per_client": 10_000,
    "limits.login_failures_per_account": 10,
    "limits.known_source_seconds": 30 * 86400,
    "limits.secret_failures_per_address": 100,
    "limits.secret_failures_per_client": 1000,
    "limits.token_failures_per_address": 1000,
    "limits.token_requests_per_client": 0,
    "limits.refresh_spacing_seconds": 0,
    "limits.sessions_per_user": 100,
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory without a configuration."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def write(folder: Path) -> Callable[[str], Path]:
    def write(text: str, name: str = "given.toml") -> Path:
        file = folder / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return file

    return write


def load(file: Path | None = None, /, **variables: str) -> Settings:
    return load_settings(file, {f"JETON_{name}": value for name, value in variables.items()})


def flat(settings: Settings) -> dict[str, Any]:
    return {
        f"{section.name}.{key.name}": getattr(getattr(settings, section.name), key.name)
        for section in msgspec.structs.fields(settings)
        for key in msgspec.structs.fields(getattr(settings, section.name))
    }


@pytest.mark.requirement("N01", "O02")
def test_the_settings_and_their_defaults_are_the_documented_ones() -> None:
    assert flat(load()) == DOCUMENTED


CHANGES = {
    "SERVER__ISSUER": "https://as.example",
    "SERVER__HOST": "0.0.0.0",
    "SERVER__PORT": "9000",
    "SERVER__WORKERS": "2",
    "DATABASE__URL": "postgresql://jeton@db/jeton",
    "SECRETS__MASTER_KEY": "k" * 43,
    "TOKENS__ACCESS_SECONDS": "60",
    "TOKENS__REFRESH_IDLE_SECONDS": "61",
    "TOKENS__REFRESH_ABSOLUTE_SECONDS": "7776001",
    "TOKENS__DEFAULT_AUDIENCE": "https://api.example",
    "TOKENS__RETRY_GRACE_SECONDS": "10",
    "KEYS__RSA_BITS": "3072",
    "KEYS__ROTATE_SECONDS": "3600",
    "KEYS__PUBLISH_AHEAD_SECONDS": "0",
    "KEYS__JWKS_MAX_AGE_SECONDS": "0",
    "PASSWORDS__MIN_LENGTH": "8",
    "PASSWORDS__MEMORY_KIB": "65536",
    "PASSWORDS__ITERATIONS": "3",
    "PASSWORDS__LANES": "4",
    "GRANTS__PASSWORD": "false",
}


@pytest.mark.parametrize("name", CHANGES)
def test_every_setting_can_be_given_as_a_variable(name: str) -> None:
    value = flat(load(**{name: CHANGES[name]}))[name.lower().replace("__", ".")]

    assert str(value).lower() == CHANGES[name]


@pytest.mark.parametrize("name", CHANGES)
def test_every_setting_can_be_read_from_a_file_of_its_own(name: str, write: Callable[[str], Path]) -> None:
    file = write(CHANGES[name] + "\n")

    assert flat(load(**{f"{name}_FILE": str(file)})) == flat(load(**{name: CHANGES[name]}))


@pytest.mark.parametrize("text", ["10.0.0.1,192.168.0.0/16", "10.0.0.1 192.168.0.0/16", " 10.0.0.1, 192.168.0.0/16 "])
def test_trusted_proxies_are_a_list(text: str) -> None:
    assert load(SERVER__TRUSTED_PROXIES=text).server.trusted_proxies == ("10.0.0.1", "192.168.0.0/16")


def test_the_file_holds_sections_and_variables_override_it(write: Callable[[str], Path]) -> None:
    file = write('[server]\nport = 9000\nhost = "::1"\ntrusted_proxies = ["10.0.0.1"]\n[grants]\npassword = false\n')

    settings = load(file, SERVER__PORT="9001")

    assert (settings.server.port, settings.server.host, settings.grants.password) == (9001, "::1", False)
    assert settings.server.trusted_proxies == ("10.0.0.1",)


def test_of_several_files_one_is_read(write: Callable[..., Path]) -> None:
    write("[server]\nport = 1001", "config/jeton.toml")
    by_variable = write("[server]\nport = 1002", "variable.toml")
    by_option = write("[server]\nhost = '::1'", "option.toml")

    assert load().server.port == 1001
    assert load(CONFIG=str(by_variable)).server.port == 1002
    assert load(by_option, CONFIG=str(by_variable)).server.port == 8000


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SERVER__PORTS", "1"),
        ("SERVER__PORT__FILE", "1"),
        ("SERVER_PORT", "1"),
        ("SERVERS__PORT", "1"),
        ("SERVER", "1"),
        ("SERVER__", "1"),
        ("__PORT", "1"),
        ("TOKNS__ACCESS_SECONDS", "60"),
        ("SERVER__FILE", "/dev/null"),
        ("SERVER__PORTS_FILE", "/dev/null"),
        ("CONFIG_FILE", "/dev/null"),
        ("CONFIGURATION", "x"),
    ],
)
def test_an_unknown_variable_is_an_error_that_names_it(name: str, value: str) -> None:
    with pytest.raises(ConfigError, match=f"JETON_{name} is not a setting"):
        load(**{name: value})


def test_variables_of_other_programs_are_none_of_our_business() -> None:
    assert load_settings(environment={"PATH": "/bin", "JET_X": "1", "jeton_x": "1"}) == load()


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("[server]\nports = 1", id="unknown key"),
        pytest.param("[servers]\nport = 1", id="unknown section"),
        pytest.param("port = 1", id="key outside a section"),
        pytest.param("server = 1", id="section that is none"),
        pytest.param("[[server]]\nport = 1", id="list of sections"),
        pytest.param("[server]\nport = []", id="wrong type"),
        pytest.param("[secrets]\nmaster_key = 1", id="a number for a secret"),
        pytest.param("[server", id="malformed"),
        pytest.param("[server]\nport = 1\nport = 2", id="twice"),
    ],
)
@pytest.mark.parametrize("variables", [{}, {"SERVER__HOST": "::1"}], ids=["file alone", "file and variable"])
def test_what_is_wrong_in_the_file_is_an_error(
    text: str, variables: dict[str, str], write: Callable[[str], Path]
) -> None:
    with pytest.raises(ConfigError):
        load(write(text), **variables)


def test_a_file_that_is_no_text_is_an_error(folder: Path) -> None:
    (folder / "binary.toml").write_bytes(b"\xff\xfe")

    with pytest.raises(ConfigError, match=r"binary\.toml cannot be read"):
        load(folder / "binary.toml")


@pytest.mark.parametrize("name", ["nowhere.toml", "."], ids=["missing", "a folder"])
def test_a_named_file_that_is_not_there_is_an_error(name: str) -> None:
    with pytest.raises(ConfigError, match="there is no configuration file"):
        load(Path(name))
    with pytest.raises(ConfigError, match="there is no configuration file"):
        load(CONFIG=name)


@pytest.mark.parametrize("path", ["nowhere", ".", ""], ids=["missing", "a folder", "empty"])
def test_a_value_s_file_that_cannot_be_read_is_an_error_that_names_the_variable(path: str) -> None:
    with pytest.raises(ConfigError, match="JETON_SECRETS__MASTER_KEY_FILE"):
        load(SECRETS__MASTER_KEY_FILE=path)


def test_a_value_given_directly_and_by_file_is_an_error(write: Callable[[str], Path]) -> None:
    with pytest.raises(ConfigError, match="JETON_SERVER__PORT is set twice"):
        load(SERVER__PORT="1", SERVER__PORT_FILE=str(write("1")))


@pytest.mark.requirement("A50", "O18")
def test_secrets_never_show_in_a_repr() -> None:
    settings = load(SECRETS__MASTER_KEY="hidden-key", DATABASE__URL="postgresql://jeton:hidden-password@db/jeton")

    assert "hidden" not in repr(settings) + str(settings) + repr(flat(settings))
    assert settings.secrets.master_key == "hidden-key"
    assert (repr(Secret("x")), repr(Secret(""))) == ("'***'", "''")


@pytest.mark.requirement("A50", "O18")
def test_secrets_never_show_in_an_error(write: Callable[[str], Path]) -> None:
    file = write('[secrets]\nmaster_key = "hidden"\nkey = "hidden"\n[database]\nurl = "hidden"')

    with pytest.raises(ConfigError) as refusal:
        load(file)

    assert "hidden" not in str(refusal.value)
