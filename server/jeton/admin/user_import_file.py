"""Lines of a JSON Lines file of users, and recognition of files that have another format."""

import codecs
import re
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from jeton.admin.errors import AdminError

_EXPECTED: Final = "give one JSON object on each line (JSON Lines)"
_CSV_TO_JSON: Final = (
    "python3 -c 'import csv, json, sys; [print(json.dumps(row)) for row in csv.DictReader(sys.stdin)]' < FILE"
)
# A pattern for the first line that is not empty, the format that it indicates, and a command that converts the file.
_OTHER_FORMATS: Final = tuple(
    (re.compile(pattern, re.DOTALL | re.IGNORECASE), file_format, converter)
    for pattern, file_format, converter in (
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
    """Yield the lines that are not empty, with their numbers, without a byte order mark at the start of the file.

    Raise AdminError if the file is not JSON Lines.
    """
    first = True
    for number, line in enumerate(file, 1):
        if number == 1 and line.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            raise AdminError("the file is UTF-16: write it as UTF-8, as `iconv -f UTF-16 -t UTF-8 FILE` does")
        text = (line.removeprefix(codecs.BOM_UTF8) if number == 1 else line).strip()
        if not text:
            continue
        if first:
            _check_format(text)
            first = False
        yield number, text


def _check_format(line: bytes) -> None:
    for pattern, file_format, converter in _OTHER_FORMATS:
        if pattern.fullmatch(line):
            raise _wrong_format(file_format, converter)
    try:
        value = msgspec.json.decode(line)
    except ValueError:
        return
    lists = [name for name, member in value.items() if _holds_objects(member)] if isinstance(value, dict) else []
    if len(lists) == 1 and re.fullmatch("[A-Za-z]+", lists[0]) and "username" not in value:
        raise _wrong_format(f"one JSON object with the users in `{lists[0]}`", f"jq -c '.{lists[0]}[]' FILE")


def _holds_objects(value: object) -> bool:
    return isinstance(value, list) and value != [] and all(isinstance(it, dict) for it in value)


def _wrong_format(file_format: str, converter: str | None) -> AdminError:
    advice = f", as this prints them: {converter}" if converter else ": see docs/operations/users.md"
    return AdminError(f"the file is {file_format}: {_EXPECTED}{advice}")
