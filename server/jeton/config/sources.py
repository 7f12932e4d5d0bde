"""Sources of settings: a TOML file, and environment variables JETON_<SECTION>__<KEY>."""

import re
import tomllib
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

PREFIX: Final = "JETON_"
FILE_VARIABLE: Final = "JETON_CONFIG"
DEFAULT_FILE: Final = Path("config/jeton.toml")
_MAX_FILE_BYTES: Final = 1024 * 1024
# Variables that Kubernetes sets for a Service, and Docker for a link, in every container. A Service may be named jeton,
# and its name may contain two hyphens, which become two underscores. Docker repeats the other container's variables
# with the prefix ENV_.
_INJECTED: Final = re.compile(
    r"(?s)ENV_.*=.*|.*_SERVICE_HOST=.*|.*_SERVICE_PORT(_[A-Z0-9_]+)?=\d+|.*_PORT=(tcp|udp|sctp)://.*"
    r"|.*_PORT_\d+_(TCP|UDP|SCTP)(_(ADDR|PORT|PROTO))?=.*"
)
_MAX_NAMED: Final = 8

Sections = Mapping[str, Iterable[str]]


class ConfigError(Exception):
    """A setting is unknown, malformed or missing. The text names it and says what is expected."""


def read_settings_file(file: Path | None, environment: Mapping[str, str]) -> dict[str, Any]:
    """Return the content of the given file, else of JETON_CONFIG, else of config/jeton.toml if it exists, else {}.

    Raise ConfigError if the file cannot be read or is not TOML.
    """
    chosen = _named_file(file, environment)
    file = chosen or DEFAULT_FILE
    try:
        if file.is_fifo():
            raise ConfigError(f"{file} is a pipe, but every worker reads the configuration: name a file")
        return tomllib.loads(_read_text(file))
    except (FileNotFoundError, NotADirectoryError):
        if chosen is None:
            return {}
        raise ConfigError(f"there is no configuration file {file}") from None
    except IsADirectoryError:
        raise ConfigError(f"{file} is a folder: name the configuration file in it") from None
    except OSError as error:
        raise ConfigError(f"the configuration file {file} cannot be read: {error.strerror}") from None
    except RecursionError:
        raise ConfigError(f"the configuration file {file} is nested too deeply") from None
    except ValueError as error:
        raise ConfigError(f"the configuration file {file} is not valid: {error}") from None


def settings_file(file: Path | None, environment: Mapping[str, str]) -> Path | None:
    """Return the file that `read_settings_file` reads, or None if there is none."""
    chosen = _named_file(file, environment) or DEFAULT_FILE
    return chosen if chosen.exists() else None


def _named_file(file: Path | None, environment: Mapping[str, str]) -> Path | None:
    return file or (Path(environment[FILE_VARIABLE]) if environment.get(FILE_VARIABLE) else None)


def read_variables(environment: Mapping[str, str], sections: Sections) -> dict[str, dict[str, str]]:
    """Return the values of JETON_<SECTION>__<KEY> and JETON_<SECTION>__<KEY>_FILE, as {section: {key: value}}.

    Raise ConfigError for a variable of that form that is not a setting, is set twice, or cannot be read.
    """
    known = _names(sections)
    found: dict[str, dict[str, str]] = {}
    for name in sorted(environment):
        target = known.get(name)
        if target is None:
            _check_unknown(name, environment[name], known)
            continue
        section, key, is_file = target
        value = _content_of(name, environment[name]) if is_file else environment[name]
        if key in found.setdefault(section, {}):
            raise ConfigError(f"{name.removesuffix('_FILE')} is set twice: directly and by _FILE")
        # Bytes that are not UTF-8 become lone surrogates, which cannot be stored or sent.
        if any("\ud800" <= character <= "\udfff" for character in value):
            raise ConfigError(f"{name} is not valid UTF-8")
        found[section][key] = value
    return found


def warning_about_unknown(environment: Mapping[str, str], sections: Sections) -> str | None:
    """Return a warning that names the variables that begin with JETON_ but are not settings, or None."""
    known = _names(sections)
    names = [it for it in sorted(environment) if it.startswith(PREFIX) and it not in known and it != FILE_VARIABLE]
    if not names:
        return None
    similar = {name: get_close_matches(name, known, 1, 0.9) for name in names if "__" not in name}
    listed = [f"{it} (did you mean {similar[it][0]}?)" if similar.get(it) else it for it in names[:_MAX_NAMED]]
    more = f" and {len(names) - _MAX_NAMED} more" if len(names) > _MAX_NAMED else ""
    return f"ignored, because they are not settings: {', '.join(listed)}{more}"


def _names(sections: Sections) -> dict[str, tuple[str, str, bool]]:
    """Return all variables that are settings, as {name: (section, key, names a file)}."""
    return {
        f"{PREFIX}{section}__{key}".upper() + suffix: (section, key, suffix != "")
        for section, keys in sections.items()
        for key in keys
        for suffix in ("", "_FILE")
    }


def _check_unknown(name: str, value: str, known: Mapping[str, object]) -> None:
    """Raise ConfigError if the variable looks like a setting: it has that form, or only the case differs."""
    if name.upper() in known:
        raise ConfigError(f"{name} is not read: write {name.upper()}")
    if not re.match(PREFIX + ".+?__", name):
        return
    if not _INJECTED.fullmatch(f"{name.removeprefix(PREFIX)}={value}"):
        raise _not_a_setting(name, known)


def check_names(values: Mapping[str, Any], sections: Sections) -> None:
    """Raise ConfigError if a section or a key of a settings file does not exist."""
    for section, of_section in values.items():
        if section not in sections:
            raise _not_a_setting(section, sections)
        if not isinstance(of_section, dict):
            raise ConfigError(f"{section} must be a section: [{section}]")
        known = [f"{section}.{key}" for key in sections[section]]
        for name in (f"{section}.{key}" for key in of_section):
            if name not in known:
                raise _not_a_setting(name, known)


def _not_a_setting(name: str, known: Iterable[str]) -> ConfigError:
    likely = get_close_matches(name, known, 1, 0.8)
    hint = f"did you mean {likely[0]}?" if likely else "`jeton config example` lists all settings"
    return ConfigError(f"{name} is not a setting: {hint}")


def _content_of(name: str, path: str) -> str:
    """Return the content of the file, without its last line break. Errors do not quote the path: it may be a secret."""
    if not path:
        raise ConfigError(f"{name} is empty: it must name a file")
    try:
        return _read_text(Path(path)).rstrip("\r\n")
    except OSError as error:
        raise ConfigError(f"{name} names a file that cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise ConfigError(f"{name} names a file that cannot be read: {error}") from None


def _read_text(file: Path) -> str:
    """Return the text of a file, without a byte order mark. Raise ValueError if it is not UTF-8 or too long."""
    with file.open("rb") as opened:
        content = opened.read(_MAX_FILE_BYTES + 1)
    if len(content) > _MAX_FILE_BYTES:
        raise ValueError(f"it is longer than {_MAX_FILE_BYTES:,} bytes")
    if content.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in content[:4]:
        raise ValueError("it is UTF-16: save it as UTF-8")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"it is not UTF-8 (byte {error.start + 1}): save it as UTF-8") from None
