"""Message catalogues in gettext's `.po` format, read at start: a language is added by dropping in a file."""

import ast
from collections.abc import Mapping
from importlib.resources import files
from typing import Final

from jeton.frozen import Frozen, field

SOURCE_LANGUAGE: Final = "en"
_RIGHT_TO_LEFT: Final = frozenset({"ar", "dv", "fa", "he", "ps", "ur", "yi"})


class CatalogueError(Exception):
    """A catalogue is malformed. The text says where."""


class Catalogue(Frozen):
    """The messages of one language, by their English text."""

    language: str
    messages: Mapping[str, str] = field(default_factory=dict)

    def translate(self, text: str) -> str:
        """Return the text in this language, or in English if the catalogue does not have it."""
        return self.messages.get(text) or text

    @property
    def direction(self) -> str:
        """The direction of writing, as in HTML's `dir`."""
        return "rtl" if self.language.partition("-")[0] in _RIGHT_TO_LEFT else "ltr"


def load_catalogues() -> dict[str, Catalogue]:
    """Return the catalogues by language tag, English first. Raise CatalogueError if one is malformed."""
    found = {SOURCE_LANGUAGE: Catalogue(SOURCE_LANGUAGE)}
    for file in sorted((files("jeton.pages") / "locales").iterdir(), key=lambda it: it.name):
        if file.name.endswith(".po"):
            language = file.name.removesuffix(".po").replace("_", "-")
            found[language] = Catalogue(language, parse_catalogue(file.read_text("utf-8"), file.name))
    return found


def parse_catalogue(text: str, name: str) -> dict[str, str]:
    """Return the messages of a `.po` file that has neither plurals nor contexts. Raise CatalogueError."""
    messages: dict[str, str] = {}
    entry = {"msgid": "", "msgstr": ""}
    target = ""
    for number, line in enumerate([*text.splitlines(), 'msgid ""'], 1):
        keyword, _, quoted = line.partition(" ") if line.startswith("msg") else ("", "", line.strip())
        if not quoted or line.startswith("#"):
            continue
        if keyword == "msgid":
            messages[entry["msgid"]] = entry["msgstr"]
            entry = {"msgid": "", "msgstr": ""}
        target = keyword or target
        if target not in entry:
            raise CatalogueError(f"{name}, line {number}: only msgid and msgstr are understood")
        entry[target] += _unquote(quoted, name, number)
    messages.pop("", None)  # the header
    return messages


def _unquote(quoted: str, name: str, number: int) -> str:
    try:
        text = ast.literal_eval(quoted)
    except (SyntaxError, ValueError):
        text = None
    if not isinstance(text, str):
        raise CatalogueError(f"{name}, line {number}: expected a text in quotation marks")
    return text
