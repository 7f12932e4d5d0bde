"""Where a session is kept: whole or not at all, for its owner only, one writer at a time."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from checkout import ROOT
from jeton_client.errors import StorageUnusable
from jeton_client.session import PendingRefresh, Session
from jeton_client.storage import FileStorage, MemoryStorage, Storage
from jeton_client.token_answers import Tokens

SESSION = Session(
    Tokens("access-secret", 1.5, 601.5, "refresh-secret", "read"), "password", "read", PendingRefresh("key-secret", 2.0)
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "session.json"


@pytest.fixture(params=["memory", "file"])
def storage(request: pytest.FixtureRequest, file: Path) -> Storage:
    return MemoryStorage() if request.param == "memory" else FileStorage(file)


def test_what_was_saved_is_loaded(storage: Storage) -> None:
    assert storage.load() is None

    storage.save(SESSION)
    assert storage.load() == SESSION

    storage.save(None)
    assert storage.load() is None
    storage.save(None)


def test_one_has_the_lock_at_a_time(storage: Storage) -> None:
    assert storage.try_lock()
    assert not storage.try_lock()

    storage.unlock()

    assert storage.try_lock()


def test_two_storages_of_one_file_lock_each_other_out(file: Path) -> None:
    one, other = FileStorage(file), FileStorage(file)
    assert one.try_lock()
    assert not other.try_lock()

    one.unlock()

    assert other.try_lock()


def test_the_lock_of_a_process_that_died_is_free(file: Path) -> None:
    script = f"""
import os, sys
sys.path.insert(0, {str(ROOT / "clients" / "python")!r})
from jeton_client import FileStorage
storage = FileStorage({str(file)!r})
assert storage.try_lock()
print("locked", flush=True)
sys.stdin.read()
"""
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"locked\n"
        assert not FileStorage(file).try_lock()
        process.kill()

    assert FileStorage(file).try_lock()


def test_a_file_is_for_its_owner_only(file: Path) -> None:
    old = os.umask(0)
    try:
        storage = FileStorage(file)
        storage.save(SESSION)
        storage.try_lock()
    finally:
        os.umask(old)

    assert {path.name: path.stat().st_mode & 0o777 for path in file.parent.iterdir()} == {
        "session.json": 0o600,
        "session.json.lock": 0o600,
    }


def test_a_file_that_others_may_read_is_refused(file: Path) -> None:
    FileStorage(file).save(SESSION)
    file.chmod(0o640)

    with pytest.raises(StorageUnusable, match="chmod 600"):
        FileStorage(file).load()


@pytest.mark.parametrize("text", [b"", b"{}", b"[]", b"\xff", b'{"tokens": 1, "pending": null}'], ids=repr)
def test_a_file_that_holds_something_else_is_told_and_left_alone(file: Path, text: bytes) -> None:
    file.write_bytes(text)
    file.chmod(0o600)

    with pytest.raises(StorageUnusable):
        FileStorage(file).load()

    assert file.read_bytes() == text


def test_a_write_that_fails_leaves_what_was(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    storage = FileStorage(file)
    storage.save(SESSION)

    def full(_: int) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr("jeton_client.storage.os.fsync", full)
    with pytest.raises(OSError, match="no space"):
        storage.save(Session(Tokens("new", 1.0), "password"))

    assert storage.load() == SESSION
    assert [path.name for path in file.parent.iterdir()] == ["session.json"]


def test_no_secret_is_in_a_repr() -> None:
    assert "secret" not in repr(SESSION)
