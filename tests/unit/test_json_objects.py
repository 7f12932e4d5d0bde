"""JSON objects from untrusted sources: one meaning, bounded depth."""

import pytest

from jeton.rules.json_objects import MAX_DEPTH, parse_json_object


def nested(depth: int) -> bytes:
    return b'{"a":' * depth + b"1" + b"}" * depth


@pytest.mark.requirement("DR01")
@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"[]", id="array"),
        pytest.param(b"null", id="null"),
        pytest.param(b'{"a":1,"a":2}', id="repeated member"),
        pytest.param(b'{"b":{"a":1,"a":1}}', id="repeated member inside"),
        pytest.param(b'{"a":NaN}', id="not a number"),
        pytest.param(b'{"a":[-1e999]}', id="beyond every number"),
        pytest.param(b'{"a":"\xff"}', id="not UTF-8"),
        pytest.param(b'{"a":"\\ud800"}', id="half a character"),
        pytest.param(b'{"a":1} {}', id="more behind it"),
        pytest.param(b"\xef\xbb\xbf{}", id="byte order mark"),
        pytest.param(b'{"a":' + b"9" * 5000 + b"}", id="long number"),
        pytest.param(nested(MAX_DEPTH + 1), id="one level too many"),
        pytest.param(b'{"a":' + b"[" * 30_000, id="thousands of levels"),
        *(pytest.param(nested(levels), id=f"{levels} levels") for levels in (900, 3000, 5000)),
    ],
)
def test_ambiguous_or_too_deep_objects_are_refused(body: bytes) -> None:
    with pytest.raises(ValueError):
        parse_json_object(body)


def test_unambiguous_objects_are_parsed() -> None:
    assert parse_json_object(b' {"a": [1, {"b": null}], "\\u00e9": "\xc3\xa9"} ') == {"a": [1, {"b": None}], "é": "é"}
    assert parse_json_object(nested(MAX_DEPTH)) != {}
    assert parse_json_object(b"{}") == {}
