"""The file of breached passwords: every entry is found, nothing else is, and invalid files are rejected."""

import hashlib
from pathlib import Path

import pytest

from jeton.crypto.breached_passwords import BreachedPasswords, BreachedPasswordsError

LEAKED = [f"password number {n}" for n in range(500)]


def digest(password: str) -> str:
    return hashlib.sha1(password.encode()).hexdigest().upper()


def write(folder: Path, text: str) -> Path:
    file = folder / "leaked.txt"
    file.write_text(text, newline="")
    return file


@pytest.mark.requirement("N06")
@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["LF", "CRLF"])
@pytest.mark.parametrize("form", ["{}:12", "{}:999999999999", "{}"], ids=["count", "long count", "no count"])
def test_every_password_in_the_list_is_found_and_no_other(tmp_path: Path, end: str, form: str) -> None:
    for count in (1, 2, 3, 500):
        text = end.join(form.format(it) for it in sorted(map(digest, LEAKED[:count])))
        for written in (text, text + end, text.lower()):
            leaked = BreachedPasswords(write(tmp_path, written))
            assert all(password in leaked for password in LEAKED[:count])
            assert not any(f"{password}!" in leaked for password in [*LEAKED[:99], "", "\u2603"])


@pytest.mark.requirement("N06")
@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        pytest.param([], "empty", id="empty"),
        pytest.param(["password", "letmein"], "is not SHA1 or SHA1:count", id="clear text"),
        pytest.param([digest("a")[:39]], "is not SHA1 or SHA1:count", id="another digest"),
        pytest.param(sorted(map(digest, LEAKED), reverse=True), "not sorted", id="backwards"),
        pytest.param([*map(digest, LEAKED)], "not sorted", id="unsorted"),
        pytest.param(["x" * 5000], "is not SHA1 or SHA1:count", id="endless line"),
    ],
)
def test_invalid_list_is_rejected(tmp_path: Path, lines: list[str], reason: str) -> None:
    with pytest.raises(BreachedPasswordsError, match=reason):
        BreachedPasswords(write(tmp_path, "\n".join(lines)))


@pytest.mark.requirement("N06", "O19")
def test_replaced_list_is_used_at_once_and_a_missing_one_rejects_every_password(tmp_path: Path) -> None:
    leaked = BreachedPasswords(write(tmp_path, digest("a")))
    file = write(tmp_path, digest("b"))
    assert "b" in leaked
    assert "a" not in leaked

    file.unlink()

    with pytest.raises(BreachedPasswordsError, match="No such file"):
        assert "b" not in leaked
    with pytest.raises(BreachedPasswordsError, match="No such file"):
        BreachedPasswords(file)
