"""jeton config: check and explain the settings."""

from importlib.resources import files
from pathlib import Path
from typing import Any

import click
import msgspec
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata

from jeton.bootstrap.clients import certificate_authorities
from jeton.bootstrap.from_settings import check_master_key, password_rules
from jeton.bootstrap.pages import build_renderer
from jeton.cli.options import configured, json_option
from jeton.config.settings import Secret, Settings
from jeton.grants import GRANTS
from jeton.oauth.discovery import SignInCapabilities
from jeton.oauth.metadata import server_metadata
from jeton.observability.escaping import encode_json
from jeton.storage.database_url import mask_database_url


@click.group()
def config() -> None:
    """Settings."""


@config.command()
@json_option
@configured
def check(as_json: bool, settings: Settings) -> None:
    """Load and validate the settings. Print the effective ones, with secrets masked.

    Each can be set as a key in its [section] of the file, or as JETON_<SECTION>__<KEY>. JETON_<SECTION>__<KEY>_FILE
    names a file that holds the value. `jeton config example` prints a file that explains every setting.
    """
    url = mask_database_url(settings.database.url)
    check_master_key(settings)
    password_rules(settings)
    build_renderer(settings)
    certificate_authorities(settings)
    # The metadata that clients would read, by the rules of RFC 8414 section 2.
    metadata = server_metadata(settings.server.issuer, (it.name for it in GRANTS), SignInCapabilities())
    AuthorizationServerMetadata(metadata).validate()
    shown: dict[str, dict[str, Any]] = msgspec.to_builtins(settings, enc_hook=str)
    for section, values in shown.items():
        for key, value in values.items():
            if value and isinstance(getattr(getattr(settings, section), key), Secret):
                values[key] = "***"
    shown["database"]["url"] = url
    if as_json:
        click.echo(encode_json(shown))
        return
    for section, values in shown.items():
        for key, value in values.items():
            click.echo(f"{section}.{key} = {encode_json(value)}")


@config.command()
def example() -> None:
    """Print a configuration file with every setting.

    It explains each, and contains its default.
    """
    packaged = Path(str(files("jeton"))) / "reference" / "jeton.toml"
    checkout = Path(__file__).parents[3] / "config" / "jeton.toml"
    click.echo((packaged if packaged.is_file() else checkout).read_text(encoding="utf-8"), nl=False)
