"""Loading of settings, from a TOML file and from environment variables."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from jeton.config.checks import check_issuer, check_settings
from jeton.config.error_descriptions import describe_error
from jeton.config.settings import Secret, Settings
from jeton.config.sources import ConfigError, check_names, read_settings_file, read_variables, warning_about_unknown

_SECTIONS: Final = {
    field.name: tuple(key.name for key in msgspec.structs.fields(field.type))
    for field in msgspec.structs.fields(Settings)
}
# In a variable, their words are separated by spaces or commas.
_LISTS: Final = frozenset(
    (field.name, key.name)
    for field in msgspec.structs.fields(Settings)
    for key in msgspec.structs.fields(field.type)
    if key.type == tuple[str, ...]
)


def load_settings(file: Path | None = None, environment: Mapping[str, str] | None = None) -> Settings:
    """Return the effective settings. Raise ConfigError, which names the setting and the reason, if one is invalid."""
    environment = os.environ if environment is None else environment
    values = read_settings_file(file, environment)
    check_names(values, _SECTIONS)
    for section, overrides in read_variables(environment, _SECTIONS).items():
        for key, value in overrides.items():
            values.setdefault(section, {})[key] = _split(value) if (section, key) in _LISTS else value
    try:
        settings = msgspec.convert(values, Settings, strict=False, dec_hook=_to_secret)
    except msgspec.ValidationError as error:
        raise ConfigError(f"the configuration is not valid: {describe_error(error)}") from None
    if "issuer" in values.get("server", {}):
        check_issuer(settings.server.issuer)
    settings = _with_defaults(settings)
    check_settings(settings)
    return settings


def warning_about_variables() -> str | None:
    """Return a warning about variables that look like settings but are not, or None."""
    return warning_about_unknown(os.environ, _SECTIONS)


def _split(value: str) -> list[str]:
    return value.replace(",", " ").split()


def _to_secret(kind: type, value: object) -> object:
    if kind is Secret and isinstance(value, str):
        return Secret(value)
    raise TypeError(f"Expected `str`, got `{type(value).__name__}`")


def _with_defaults(settings: Settings) -> Settings:
    """Return the settings with the defaults that depend on other settings."""
    server, tokens = settings.server, settings.tokens
    issuer = server.issuer or f"http://127.0.0.1:{server.port}"
    return msgspec.structs.replace(
        settings,
        server=msgspec.structs.replace(server, issuer=issuer),
        tokens=msgspec.structs.replace(tokens, default_audience=tokens.default_audience or issuer),
    )
