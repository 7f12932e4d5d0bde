"""The file of breached passwords: every entry is found, nothing else is, and invalid files are rejected."""

import hashlib
from pathlib import Path

import pytest

from jeton.crypto.breached_passwords import BreachedPasswords, BreachedPasswordsError

LEAKED = [f"password number {n}" for n in range(500)]


def digest(password: str) -> str:
    return hashlib.sha1(password.encode()).hexdigest().upper()


def written(folder: Path, *lines: str, end: str = "\n") -> Path:
    file = folder / "leaked.txt"
    file.write_text(end.join(lines), newline="")
    return file


@pytest.mark.requirement("N06")
@pytest.mark.parametrize("count", [1, 2, 3, 500])
@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["LF", "CRLF"])
@pytest.mark.parametrize("last", ["", "\n"], ids=["cut", "ended"])
def test_every_password_in_the_list_is_found_and_no_other(tmp_path: Path, count: int, end: str, last: str) -> None:
    chosen = LEAKED[:count]
    lines = sorted(f"{digest(it)}:{10 ** (i % 12)}" for i, it in enumerate(chosen))
    leaked = BreachedPasswords(written(tmp_path, end.join(lines) + last))

    assert all(password in leaked for password in chosen)
    assert not any(f"{password}!" in leaked for password in [*LEAKED, "", "\u2603"])


@pytest.mark.requirement("N06")
@pytest.mark.parametrize("form", [str.lower, lambda line: line.split(":")[0]], ids=["lower case", "no counts"])
def test_digests_in_lower_case_or_without_counts_are_accepted(tmp_path: Path, form: "type[str]") -> None:
    leaked = BreachedPasswords(written(tmp_path, *(form(f"{it}:1") for it in sorted(map(digest, LEAKED)))))

    assert all(password in leaked for password in LEAKED)


@pytest.mark.requirement("N06")
@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        pytest.param([], "empty", id="empty"),
        pytest.param(["password", "letmein"], "is not SHA1 or SHA1:count", id="in clear"),
        pytest.param([digest("a")[:39]], "is not SHA1 or SHA1:count", id="another digest"),
        pytest.param(sorted(map(digest, LEAKED), reverse=True), "not sorted", id="backwards"),
        pytest.param([*map(digest, LEAKED)], "not sorted", id="by count"),
        pytest.param(["x" * 5000], "is not SHA1 or SHA1:count", id="a line without end"),
    ],
)
def test_invalid_list_is_rejected(tmp_path: Path, lines: list[str], reason: str) -> None:
    with pytest.raises(BreachedPasswordsError, match=reason):
        BreachedPasswords(written(tmp_path, *lines))


@pytest.mark.requirement("N06", "O19")
def test_missing_list_rejects_every_password(tmp_path: Path) -> None:
    file = written(tmp_path, digest("a"))
    leaked = BreachedPasswords(file)
    file.unlink()

    with pytest.raises(BreachedPasswordsError, match="No such file"):
        assert "b" not in leaked


@pytest.mark.requirement("N06")
def test_replaced_list_is_used_at_once(tmp_path: Path) -> None:
    leaked = BreachedPasswords(written(tmp_path, digest("a")))
    written(tmp_path, digest("b"))

    assert "b" in leaked
    assert "a" not in leaked
