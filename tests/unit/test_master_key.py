"""Master keys: format, derivation, and the file beside an SQLite database."""

import base64
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from jeton.crypto.master_key import (
    MasterKeyError,
    MasterKeys,
    generate_master_key,
    parse_master_keys,
    read_or_create_master_key,
)
from support.base64url import base64url

OLD, NEW = b"\xff" * 32, b"\x01" * 32
OLD_ID, NEW_ID = MasterKeys([OLD]).newest, MasterKeys([NEW]).newest


def test_generated_key_is_32_random_bytes_in_base64url() -> None:
    keys = {generate_master_key() for _ in range(100)}

    assert {len(base64.urlsafe_b64decode(key + "=")) for key in keys} == {32}
    assert len(keys) == 100
    assert parse_master_keys(keys.pop()).newest


@pytest.mark.parametrize("separator", [",", ", ", " ", "\n", "=\n"], ids=repr)
def test_first_key_is_the_newest_and_all_are_usable(separator: str) -> None:
    keys = parse_master_keys(base64url(NEW) + separator + base64url(OLD) + "=\n")

    assert keys.newest == NEW_ID
    assert OLD_ID in keys
    assert "00000000" not in keys


@pytest.mark.requirement("A50", "O18")
@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param(" , ", id="separators only"),
        pytest.param("correct horse battery staple", id="sentence"),
        pytest.param(base64url(b"x" * 31), id="31 bytes"),
        pytest.param(base64url(b"x" * 33), id="33 bytes"),
        pytest.param(base64url(NEW)[:-1], id="cut"),
        pytest.param(base64url(NEW) + ",short", id="second one malformed"),
        pytest.param(base64url(OLD) + "," + base64url(NEW)[:-1], id="second one cut"),
        pytest.param("\u00e9" * 43, id="not ASCII"),
        pytest.param(NEW.hex(), id="hexadecimal"),
    ],
)
def test_malformed_master_key_is_rejected_and_never_shown(text: str) -> None:
    with pytest.raises(MasterKeyError, match=r"secrets\.master_key") as refusal:
        parse_master_keys(text)

    assert base64url(NEW)[:8] not in str(refusal.value) + repr(parse_master_keys(base64url(NEW)))


def test_derived_key_depends_only_on_master_key_and_purpose() -> None:
    keys = MasterKeys([NEW, OLD])
    derived = {keys.derive(key_id, purpose) for key_id in (NEW_ID, OLD_ID) for purpose in (b"one", b"two")}

    assert {len(value) for value in derived} == {32}
    assert len(derived - {NEW, OLD}) == 4
    assert MasterKeys([OLD, NEW]).derive(NEW_ID, b"one") == keys.derive(NEW_ID, b"one")
    with pytest.raises(MasterKeyError, match=f"master key {OLD_ID} is needed but not configured"):
        MasterKeys([NEW]).derive(OLD_ID, b"one")


def test_file_is_created_only_if_it_may_be_once_and_readable_by_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "key"
    with pytest.raises(MasterKeyError, match="restore the file"):
        read_or_create_master_key(path, may_create=False)
    assert list(tmp_path.iterdir()) == []

    created = read_or_create_master_key(path, may_create=True)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [read_or_create_master_key(path, may_create=it).newest for it in (False, True)] == [created.newest] * 2
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("content", [b"", b"\n", b"nonsense", b"\xff\xfe"], ids=["empty", "line", "text", "binary"])
@pytest.mark.parametrize("may_create", [True, False])
def test_file_without_a_key_is_rejected_and_not_changed(tmp_path: Path, content: bytes, may_create: bool) -> None:
    path = tmp_path / "key"
    path.write_bytes(content)

    with pytest.raises(MasterKeyError, match=f"{path} must hold .*: restore the file"):
        read_or_create_master_key(path, may_create=may_create)

    assert path.read_bytes() == content


def test_concurrently_started_servers_use_the_same_key(tmp_path: Path) -> None:
    path, together = tmp_path / "key", threading.Barrier(8)

    def begin(_: int) -> str:
        together.wait()
        return read_or_create_master_key(path, may_create=True).newest

    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(begin, range(8))) == {parse_master_keys(path.read_text()).newest}
