"""Short names of browsers and systems, from the `User-Agent` header field."""

from typing import Final

# The first that occurs counts: many browsers also name those that they are compatible with.
_BROWSERS: Final = (
    *(("Edg", "Edge"), ("OPR/", "Opera"), ("SamsungBrowser", "Samsung Internet"), ("Vivaldi", "Vivaldi")),
    *(("Firefox/", "Firefox"), ("FxiOS", "Firefox"), ("CriOS", "Chrome"), ("Chrome/", "Chrome"), ("Safari/", "Safari")),
    *(("curl/", "curl"), ("okhttp", "okhttp"), ("python", "Python"), ("node", "Node.js")),
)
_SYSTEMS: Final = (
    *(("Windows", "Windows"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Android", "Android")),
    *(("Mac OS X", "macOS"), ("CrOS", "ChromeOS"), ("Linux", "Linux")),
)
_MAX_CHARACTERS: Final = 60


def device_name(user_agent: str | None) -> tuple[str, str]:
    """Return the names of browser and system, such as ("Firefox", "Linux"). Either may be empty.

    The beginning of an unknown user agent stands for the browser.
    """
    if not user_agent:
        return "", ""
    system = _first(_SYSTEMS, user_agent)
    return _first(_BROWSERS, user_agent) or ("" if system else user_agent[:_MAX_CHARACTERS]), system


def _first(names: tuple[tuple[str, str], ...], user_agent: str) -> str:
    return next((name for mark, name in names if mark in user_agent), "")
