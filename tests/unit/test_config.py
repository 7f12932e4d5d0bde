"""Settings: documented defaults, sources of values, and errors for unknown and invalid ones."""

import os
import re
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest

from jeton.config.loading import load_settings
from jeton.config.settings import Secret, Settings
from jeton.config.sources import ConfigError, warning_about_unknown

pytestmark = pytest.mark.usefixtures("folder")
REFERENCE = Path(__file__).parents[2] / "config" / "jeton.toml"


def write(text: str | bytes, name: str = "given.toml") -> Path:
    """Write a file below the working directory."""
    file = Path(name)
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


def load(file: Path | None = None, /, **variables: str) -> Settings:
    return load_settings(file, {f"JETON_{name}": value for name, value in variables.items()})


def flat(settings: Settings) -> dict[str, Any]:
    return {
        f"{section.name}.{key.name}": getattr(getattr(settings, section.name), key.name)
        for section in msgspec.structs.fields(settings)
        for key in msgspec.structs.fields(getattr(settings, section.name))
    }


@pytest.mark.requirement("N01", "O02")
def test_defaults_are_those_of_the_reference_file() -> None:
    text = re.sub(r"^# \[.+\]\n(# \w\w = .+\n)+", "", REFERENCE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    text = re.sub(r"^# (?=\w+ = )", "", text, flags=re.MULTILINE)
    reference = {f"{name}.{key}": it for name, section in tomllib.loads(text).items() for key, it in section.items()}

    reference = {name: tuple(it) if isinstance(it, list) else it for name, it in reference.items()}
    assert reference == flat(load()) == flat(load(write(text)))
    assert load().passwords.min_length == 15


CHANGES = {
    "SERVER__ISSUER": "https://as.example", "SERVER__HOST": "0.0.0.0", "SERVER__PORT": "9000", "SERVER__WORKERS": "2",
    "DATABASE__URL": "postgresql://jeton@db/jeton", "SECRETS__MASTER_KEY": "k" * 43, "TOKENS__ACCESS_SECONDS": "60",
    "TOKENS__REFRESH_IDLE_SECONDS": "61", "TOKENS__REFRESH_ABSOLUTE_SECONDS": "7776001",
    "TOKENS__DEFAULT_AUDIENCE": "https://api.example", "TOKENS__RETRY_GRACE_SECONDS": "10", "KEYS__RSA_BITS": "3072",
    "KEYS__ROTATE_SECONDS": "3600", "KEYS__PUBLISH_AHEAD_SECONDS": "0", "KEYS__JWKS_MAX_AGE_SECONDS": "0",
    "PASSWORDS__MIN_LENGTH": "8", "PASSWORDS__MEMORY_KIB": "65536", "PASSWORDS__ITERATIONS": "3",
    "PASSWORDS__LANES": "4", "GRANTS__PASSWORD": "false",
}  # fmt: skip


@pytest.mark.parametrize(("name", "value"), CHANGES.items(), ids=CHANGES)
def test_setting_can_be_set_by_variable_or_by_a_file_that_a_variable_names(name: str, value: str) -> None:
    settings = flat(load(**{name: value}))

    assert str(settings[name.lower().replace("__", ".")]).lower() == value
    assert flat(load(**{f"{name}_FILE": str(write(value + "\n"))})) == settings


@pytest.mark.parametrize("text", ["10.0.0.1,192.168.0.0/16", "10.0.0.1 192.168.0.0/16", " 10.0.0.1, 192.168.0.0/16 "])
def test_variables_override_the_file_and_a_list_is_one_text(text: str) -> None:
    file = write('[server]\nport = 9000\nhost = "::1"\ntrusted_proxies = ["::1"]\n[grants]\npassword = false\n')

    settings = load(file, SERVER__PORT="9001")
    assert (settings.server.port, settings.server.host, settings.grants.password) == (9001, "::1", False)
    assert settings.server.trusted_proxies == ("::1",)
    assert load(file, SERVER__TRUSTED_PROXIES=text).server.trusted_proxies == ("10.0.0.1", "192.168.0.0/16")
    assert load(file, REGISTRATION__SCOPES=text).registration.scopes == ("10.0.0.1", "192.168.0.0/16")


def test_only_the_first_configuration_file_is_read() -> None:
    write("[server]\nport = 1001", "config/jeton.toml")
    by_variable = write("[server]\nport = 1002", "variable.toml")
    by_option = write("[server]\nhost = '::1'", "option.toml")

    assert load().server.port == 1001
    assert load(CONFIG=str(by_variable)).server.port == 1002
    assert load(by_option, CONFIG=str(by_variable)).server.port == 8000


@pytest.mark.parametrize(
    ("name", "words"),
    [
        *(
            (f"JETON_{name}", "is not a setting")
            for name in ("SERVER__PORTS", "SERVER__PORT__FILE", "SERVERS__PORT", "SERVER__", "TOKNS__ACCESS_SECONDS",
                         "SERVER__FILE", "SERVER__PORTS_FILE", "SERVER__PROXY_PORT", "SERVER__SERVICE_PORT")
        ),
        *(
            (name, "is not read: write JETON_SERVER__PORT")
            for name in ("jeton_server__port", "JETON_server__port", "Jeton_Server__Port")
        ),
    ],
)  # fmt: skip
def test_unknown_or_misspelled_variable_is_refused_by_name(name: str, words: str) -> None:
    with pytest.raises(ConfigError, match=f"{name} {words}"):
        load_settings(environment={name: "/dev/null"})


# A Service called `jeton`, others with two hyphens, and a Docker link to a container that has settings itself.
INJECTED = {
    "JETON_SERVICE_HOST": "10.0.0.1",
    "JETON_SERVICE_PORT": "8000",
    "JETON_SERVICE_PORT_HTTP": "8000",
    "JETON_PORT": "tcp://10.0.0.1:8000",
    "JETON_PORT_8000_TCP": "tcp://10.0.0.1:8000",
    "JETON_PORT_8000_TCP_PROTO": "tcp",
    "JETON_PORT_8000_TCP_PORT": "8000",
    "JETON_PORT_8000_TCP_ADDR": "10.0.0.1",
    "JETON__DB_PORT": "tcp://10.0.0.1:5432",
    "JETON_DB__MAIN_SERVICE_HOST": "10.0.0.1",
    "JETON_SERVER__MAIN_PORT_5432_TCP_ADDR": "10.0.0.1",
    "JETON_SERVER__MAIN_PORT": "udp://10.0.0.1:53",
    "JETON_NAME": "/app/jeton",
    "JETON_ENV_JETON_SERVER__PORT": "9000",
    "JETON_ENV_A__B": "a\nb",
}


@pytest.mark.parametrize("name", INJECTED)
def test_variables_of_orchestrators_are_ignored_with_a_warning(name: str) -> None:
    assert load_settings(environment={name: INJECTED[name]}) == load()
    assert f"not settings: {name}" in str(warning_about_unknown({name: INJECTED[name]}, {"server": ("port",)}))


def test_variables_of_other_programs_are_ignored_and_the_warning_about_similar_ones_is_short() -> None:
    others = {"PATH": "/bin", "JET_X": "1", "jeton_x": "1", "JETON_CONFIG": "", "JETON_SERVER__PORT": "1"}
    similar = {f"JETON_X{number}": "secret" for number in range(20)} | {"JETON_SERVER_PORT": "9000"}

    assert load_settings(environment=others) == load(SERVER__PORT="1")
    assert warning_about_unknown(others, {"server": ("port",)}) is None
    warning = str(warning_about_unknown(similar, {"server": ("port",)}))
    assert "JETON_SERVER_PORT (did you mean JETON_SERVER__PORT?)" in warning
    assert "and 13 more" in warning
    assert "secret" not in warning


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[server]\nprot = 1", "server.prot is not a setting: did you mean server.port?"),
        ("[sever]\nport = 1", "sever is not a setting: did you mean server?"),
        ("[other]\nport = 1", "other is not a setting: `jeton config example` lists all settings"),
        ("server = 1", "server must be a section: [server]"),
        ("[server]\nport = 'x'", "server.port must be a whole number, not text"),
        ("[grants]\npassword = 'no'", "grants.password must be true or false, not text"),
        ("[secrets]\nmaster_key = ['x']", "secrets.master_key must be text, not a list"),
        ("[server]\ntrusted_proxies = 1", "server.trusted_proxies must be a list, not a whole number"),
        ("[keys]\nalgorithm = 'HS256'", "keys.algorithm must be RS256 or ES256 or EdDSA"),
        ("[keys]\nrsa_bits = 1024", "keys.rsa_bits must be 2048 or 3072 or 4096"),
        ("[registration]\ndynamic = true", "registration.dynamic must be off or token or open"),
        ("[pages]\naccent = 'red'", "pages.accent must be a color such as #1d4ed8"),
        ("[pages]\nname = ''", "pages.name must be text of length >= 1"),
        ("[scopes]\ndescriptions = {read = 'Read'}", "scopes.descriptions[...] must be a section, not text"),
        ("[server]\nhost = ''", "server.host must not be empty: 127.0.0.1 is this machine only, 0.0.0.0 every address"),
    ],
)
def test_invalid_setting_is_refused_with_what_it_may_be(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=f"{re.escape(said)}$"):
        load(write(text))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("port = 1", id="key outside a section"),
        pytest.param("[[server]]\nport = 1", id="list of sections"),
        pytest.param("[server", id="malformed"),
        pytest.param("[server]\nport = 1\nport = 2", id="twice"),
        pytest.param("a = " + "[" * 5000, id="deep"),
        pytest.param("[server]\nport = " + "9" * 5000, id="long number"),
        pytest.param("#" * 1_100_000, id="long"),
    ],
)
@pytest.mark.parametrize("variables", [{}, {"SERVER__HOST": "::1"}], ids=["file alone", "file and variable"])
def test_invalid_file_is_refused(text: str, variables: dict[str, str]) -> None:
    with pytest.raises(ConfigError):
        load(write(text), **variables)
    with pytest.raises(ConfigError, match=r"server\.host must not contain a NUL"):
        load(write('[server]\nhost = "a\\u0000b"'))


SAVED = "[server]\r\nport = 9000\r\n"


def test_byte_order_mark_is_ignored() -> None:
    assert load(write(SAVED.encode("utf-8-sig"))).server.port == 9000
    assert load(SERVER__PORT_FILE=str(write("9001\r\n".encode("utf-8-sig")))).server.port == 9001


@pytest.mark.parametrize(
    ("encoding", "reason"), [("utf-16", "UTF-16"), ("utf-16-le", "UTF-16"), ("utf-16-be", "UTF-16"), ("cp037", "UTF-8")]
)
def test_file_in_another_encoding_is_refused_with_advice(encoding: str, reason: str) -> None:
    file = write((SAVED + "# \u00fc").encode(encoding), "saved")

    with pytest.raises(ConfigError, match=f"saved is not valid: it is .*{reason}"):
        load(file)
    with pytest.raises(ConfigError, match=f"JETON_SERVER__PORT_FILE names a file that cannot be read: .*{reason}"):
        load(SERVER__PORT_FILE=str(file))


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("nowhere.toml", "there is no configuration file"),
        ("file/nowhere.toml", "there is no configuration file"),
        (".", "is a folder"),
        ("pipe", "is a pipe"),
        ("x" * 300, "File name too long"),
    ],
)
def test_unreadable_configuration_file_is_refused(folder: Path, name: str, reason: str) -> None:
    (folder / "file").touch()
    os.mkfifo(folder / "pipe")
    with pytest.raises(ConfigError, match=reason):
        load(Path(name))
    with pytest.raises(ConfigError, match=reason):
        load(CONFIG=name)


@pytest.mark.parametrize("path", ["the-secret-itself", "/proc", "", "/dev/zero", "the-secret\0"])
def test_unreadable_value_file_is_refused_without_its_path(path: str) -> None:
    with pytest.raises(ConfigError, match="JETON_SECRETS__MASTER_KEY_FILE") as refusal:
        load(SECRETS__MASTER_KEY_FILE=path)

    assert "the-secret" not in str(refusal.value)


def test_value_set_directly_and_by_file_is_refused() -> None:
    with pytest.raises(ConfigError, match="JETON_SERVER__PORT is set twice"):
        load(SERVER__PORT="1", SERVER__PORT_FILE=str(write("1")))


@pytest.mark.requirement("A50", "O18")
def test_repr_and_errors_contain_no_secrets() -> None:
    settings = load(SECRETS__MASTER_KEY="hidden-key", DATABASE__URL="postgresql://jeton:hidden-password@db/jeton")

    assert "hidden" not in repr(settings) + str(settings) + repr(flat(settings))
    assert settings.secrets.master_key == "hidden-key"
    assert (repr(Secret("x")), repr(Secret(""))) == ("'***'", "''")
    with pytest.raises(ConfigError) as refusal:
        load(write('[secrets]\nmaster_key = "hidden"\nkey = "hidden"\n[database]\nurl = "hidden"'))
    assert "hidden" not in str(refusal.value)
