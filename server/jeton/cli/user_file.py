"""The file of `jeton user import`: its lines, and what to do about a file of another form."""

import codecs
import re
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from jeton.cli.errors import CommandError

_WANTED: Final = "give one JSON object on each line (JSON Lines)"
_CSV_TO_JSON: Final = (
    "python3 -c 'import csv, json, sys; [print(json.dumps(row)) for row in csv.DictReader(sys.stdin)]' < FILE"
)
# What the first line that holds anything looks like; what the file is then; what prints it in the wanted form.
_OTHER_FORMS: Final = tuple(
    (re.compile(pattern, re.DOTALL | re.IGNORECASE), what, mend)
    for pattern, what, mend in (
        (rb"\[.*", "one JSON array", "jq -c '.[]' FILE"),
        (rb"\{(.*[,{\[])?", "JSON with an object on several lines", "jq -c . FILE"),
        (rb"(dn|version): .*", "LDIF", None),
        (rb"<.*", "XML", None),
        (rb"(--|/\*|INSERT INTO|CREATE|COPY) .*", "SQL", None),
        (rb"[^{:,;\t]+:[$!*{][^{]*", "a password file of Unix or Apache", None),
        (rb"[^{].*[,;\t].*", "CSV", _CSV_TO_JSON),
    )
)


def numbered_lines(file: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """Yield the lines that hold anything, with their numbers; some systems begin a file with a byte order mark.

    Raise Refusal if the file is none of JSON Lines.
    """
    first = True
    for number, line in enumerate(file, 1):
        if number == 1 and line.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            raise CommandError("the file is UTF-16: write it as UTF-8, as `iconv -f UTF-16 -t UTF-8 FILE` does")
        text = (line.removeprefix(codecs.BOM_UTF8) if number == 1 else line).strip()
        if not text:
            continue
        if first:
            _check_form(text)
            first = False
        yield number, text


def _check_form(line: bytes) -> None:
    for pattern, what, mend in _OTHER_FORMS:
        if pattern.fullmatch(line):
            raise _wrong_form(what, mend)
    try:
        found = msgspec.json.decode(line)
    except ValueError:
        return
    lists = [name for name, value in found.items() if _holds_objects(value)] if isinstance(found, dict) else []
    if len(lists) == 1 and re.fullmatch("[A-Za-z]+", lists[0]) and "username" not in found:
        raise _wrong_form(f"one JSON object with the users in `{lists[0]}`", f"jq -c '.{lists[0]}[]' FILE")


def _holds_objects(value: object) -> bool:
    return isinstance(value, list) and value != [] and all(isinstance(it, dict) for it in value)


def _wrong_form(what: str, mend: str | None) -> CommandError:
    how = f", as this prints them: {mend}" if mend else ": see docs/operations/users.md"
    return CommandError(f"the file is {what}: {_WANTED}{how}")
