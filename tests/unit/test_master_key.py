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


def spelled(key: bytes) -> str:
    return base64.urlsafe_b64encode(key).rstrip(b"=").decode()


OLD, NEW = b"\xff" * 32, b"\x01" * 32


def test_a_generated_key_is_32_random_bytes_in_base64url() -> None:
    keys = {generate_master_key() for _ in range(100)}

    assert {len(base64.urlsafe_b64decode(key + "=")) for key in keys} == {32}
    assert len(keys) == 100
    assert parse_master_keys(keys.pop()).newest


@pytest.mark.parametrize("separator", [",", ", ", " ", "\n"], ids=["comma", "comma and space", "space", "line"])
def test_first_key_is_the_newest_and_all_are_usable(separator: str) -> None:
    keys = parse_master_keys(spelled(NEW) + separator + spelled(OLD))

    assert keys.newest == MasterKeys([NEW]).newest
    assert MasterKeys([OLD]).newest in keys
    assert "00000000" not in keys


def test_padding_and_line_end_are_ignored() -> None:
    assert parse_master_keys(spelled(NEW) + "=\n").newest == MasterKeys([NEW]).newest


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param(" , ", id="separators only"),
        pytest.param("correct horse battery staple", id="a sentence"),
        pytest.param(spelled(b"x" * 31), id="31 bytes"),
        pytest.param(spelled(b"x" * 33), id="33 bytes"),
        pytest.param(spelled(NEW)[:-1], id="cut"),
        pytest.param(spelled(NEW) + ",short", id="the second one malformed"),
        pytest.param("\u00e9" * 43, id="not ASCII"),
        pytest.param(NEW.hex(), id="hexadecimal"),
    ],
)
def test_malformed_master_key_is_rejected(text: str) -> None:
    with pytest.raises(MasterKeyError, match=r"secrets\.master_key"):
        parse_master_keys(text)


@pytest.mark.requirement("A50", "O18")
def test_errors_and_repr_never_contain_a_key() -> None:
    with pytest.raises(MasterKeyError) as refusal:
        parse_master_keys(spelled(OLD) + "," + spelled(NEW)[:-1])

    assert spelled(NEW)[:8] not in str(refusal.value)
    assert spelled(NEW)[:8] not in repr(parse_master_keys(spelled(NEW)))


def test_derived_key_depends_only_on_master_key_and_purpose() -> None:
    keys = MasterKeys([NEW, OLD])
    new, old = keys.newest, MasterKeys([OLD]).newest
    derived = {keys.derive(key_id, purpose) for key_id in (new, old) for purpose in (b"one", b"two")}

    assert {len(value) for value in derived} == {32}
    assert len(derived) == 4
    assert MasterKeys([OLD, NEW]).derive(new, b"one") == keys.derive(new, b"one")
    assert not derived & {NEW, OLD}


def test_missing_master_key_is_named_in_the_error() -> None:
    missing = MasterKeys([OLD]).newest

    with pytest.raises(MasterKeyError, match=f"master key {missing} is needed but not configured"):
        MasterKeys([NEW]).derive(missing, b"one")


def test_the_file_is_created_once_and_readable_by_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "key"

    created = read_or_create_master_key(path, may_create=True)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_or_create_master_key(path, may_create=False).newest == created.newest
    assert read_or_create_master_key(path, may_create=True).newest == created.newest
    assert list(tmp_path.iterdir()) == [path]


def test_missing_file_is_not_recreated_if_a_database_depends_on_it(tmp_path: Path) -> None:
    path = tmp_path / "key"

    with pytest.raises(MasterKeyError, match="restore the file"):
        read_or_create_master_key(path, may_create=False)

    assert not path.exists()


@pytest.mark.parametrize("content", [b"", b"\n", b"nonsense", b"\xff\xfe"], ids=["empty", "line", "text", "binary"])
@pytest.mark.parametrize("may_create", [True, False])
def test_file_without_a_key_is_rejected_and_not_changed(tmp_path: Path, content: bytes, may_create: bool) -> None:
    path = tmp_path / "key"
    path.write_bytes(content)

    with pytest.raises(MasterKeyError):
        read_or_create_master_key(path, may_create=may_create)

    assert path.read_bytes() == content


def test_concurrently_started_servers_use_the_same_key(tmp_path: Path) -> None:
    path = tmp_path / "key"
    together = threading.Barrier(8)

    def begin() -> str:
        together.wait()
        return read_or_create_master_key(path, may_create=True).newest

    with ThreadPoolExecutor(8) as threads:
        found = {future.result() for future in [threads.submit(begin) for _ in range(8)]}

    assert found == {parse_master_keys(path.read_text()).newest}
