"""Choice of a page's language: `ui_locales` (OpenID Connect Core 3.1.2.1), `Accept-Language`, English (RFC 4647)."""

from collections.abc import Collection, Iterable, Sequence
from typing import Final

from jeton.pages.catalogues import SOURCE_LANGUAGE

_MAX_RANGES: Final = 20


def choose_language(available: Collection[str], ui_locales: Iterable[str], accept_language: str) -> str:
    """Return the first wanted language that is available, by whole tag or by its beginning (RFC 4647 section 3.4)."""
    by_lower_case = {tag.lower(): tag for tag in available}
    # A longer beginning is none of them: to try each would take time in proportion to the square of the length.
    longest = max(tag.count("-") + 1 for tag in available)
    for wanted in (*ui_locales, *_ranges(accept_language)):
        parts = wanted.lower().replace("_", "-").split("-", longest)[:longest]
        for length in range(len(parts), 0, -1):
            found = by_lower_case.get("-".join(parts[:length]))
            if found is not None:
                return found
    return SOURCE_LANGUAGE


def _ranges(accept_language: str) -> Sequence[str]:
    """Return the language ranges by descending weight, without `*` and those of weight 0 (RFC 9110 section 12.5.4)."""
    weighted = []
    for element in accept_language.split(",")[:_MAX_RANGES]:
        tag, _, parameter = element.strip().partition(";")
        name, _, value = parameter.strip().partition("=")
        weight = _weight(value) if name.strip() == "q" else 1.0
        if tag.strip() not in ("", "*") and weight > 0:
            weighted.append((weight, tag.strip()))
    return [tag for _, tag in sorted(weighted, key=lambda it: -it[0])]


def _weight(text: str) -> float:
    try:
        return min(1.0, max(0.0, float(text)))
    except ValueError:
        return 0.0
