"""Where a session is kept: whole or not at all, for its owner only, one writer at a time."""

import fcntl
import os
import subprocess
import sys
from collections.abc import Callable
from errno import ENOLCK
from pathlib import Path
from typing import Final

import pytest

from clients.python.world import APP, ISSUER, TokenEndpoint, World, refused
from jeton_client.errors import RefusedError, StorageUnusableError
from jeton_client.session import PendingRefresh, Session
from jeton_client.session_operations import SessionOperations
from jeton_client.storage import FileStorage, MemoryStorage, Storage
from jeton_client.token_answers import Tokens
from support.checkout import ROOT

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

    with pytest.raises(StorageUnusableError, match="chmod 600"):
        FileStorage(file).load()


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{}",
        b"[]",
        b"\xff",
        b'{"tokens": 1, "pending": null}',
        SESSION.to_json().encode()[:-9],
        SESSION.to_json().replace("1.5", '"soon"').encode(),
        SESSION.to_json().replace("601.5", "[]").encode(),
        SESSION.to_json().replace('"access-secret"', "null").encode(),
        SESSION.to_json().replace('"refresh-secret"', "7").encode(),
        SESSION.to_json().replace('"key-secret"', "{}").encode(),
        SESSION.to_json().replace('"password"', '"magic"').encode(),
    ],
    ids=repr,
)
def test_a_file_that_holds_something_else_is_told_and_left_alone(file: Path, text: bytes) -> None:
    file.write_bytes(text)
    file.chmod(0o600)

    with pytest.raises(StorageUnusableError):
        FileStorage(file).load()

    assert file.read_bytes() == text


def locked_by_others(_: int, __: int) -> None:
    raise OSError(ENOLCK, "no locks available")


def make_folder_of_the_lock(file: Path, _: pytest.MonkeyPatch) -> None:
    file.with_name("session.json.lock").mkdir()


def make_folder_of_the_session(file: Path, _: pytest.MonkeyPatch) -> None:
    (file / "below").mkdir(parents=True)


def take_the_folder_away(file: Path, _: pytest.MonkeyPatch) -> None:
    file.parent.rmdir()


def put_a_file_in_its_place(file: Path, _: pytest.MonkeyPatch) -> None:
    file.parent.rmdir()
    file.parent.touch()


def have_no_locks(_: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fcntl.flock", locked_by_others)


def fill_the_disk(_: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jeton_client.storage.mkstemp", lambda **_: os.open("/dev/full/x", os.O_RDONLY))


@pytest.mark.parametrize(
    "spoil",
    [
        make_folder_of_the_lock,
        make_folder_of_the_session,
        take_the_folder_away,
        put_a_file_in_its_place,
        have_no_locks,
        fill_the_disk,
    ],
)
def test_a_file_that_keeps_nothing_is_unusable_before_a_password_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spoil: Callable[[Path, pytest.MonkeyPatch], None]
) -> None:
    file = tmp_path / "folder" / "session.json"
    file.parent.mkdir()
    spoil(file, monkeypatch)
    world = World({"https://as.example/token": TokenEndpoint()})

    with pytest.raises(StorageUnusableError):
        world.follow(SessionOperations(ISSUER, APP, FileStorage(file), world.clock).log_in("alice", "pw", None))

    assert world.asked_of("/token") == []


def test_a_login_that_fails_leaves_the_session_that_there_was(file: Path) -> None:
    FileStorage(file).save(SESSION)
    world = World({"https://as.example/token": lambda _: refused("invalid_grant")})

    with pytest.raises(RefusedError):
        world.follow(SessionOperations(ISSUER, APP, FileStorage(file), world.clock).log_in("alice", "wrong", None))

    assert FileStorage(file).load() == SESSION


def test_a_lock_file_that_was_deleted_meanwhile_is_no_lock(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flock = fcntl.flock

    def deleted_first(descriptor: int, operation: int) -> None:
        file.with_name("session.json.lock").unlink()
        flock(descriptor, operation)

    with monkeypatch.context() as patch:
        patch.setattr("fcntl.flock", deleted_first)
        assert not FileStorage(file).try_lock()

    assert FileStorage(file).try_lock()


WITHOUT_FCNTL: Final = f"""
import errno, os, subprocess, sys, types
sys.path.insert(0, {str(ROOT / "clients" / "python")!r})
sys.modules["fcntl"] = None
held = set()
def locking(descriptor, mode, count):
    inode = os.fstat(descriptor).st_ino
    if mode == 0:
        held.discard(inode)
    elif inode in held:
        raise OSError(errno.EACCES, "taken")
    else:
        held.add(inode)
if sys.argv[2] == "Windows":
    sys.modules["msvcrt"] = types.SimpleNamespace(locking=locking, LK_NBLCK=2, LK_UNLCK=0)
from jeton_client import FileStorage, StorageUnusableError
one, other = FileStorage(sys.argv[1]), FileStorage(sys.argv[1])
try:
    print(one.try_lock(), other.try_lock())
    one.unlock()
    print(other.try_lock())
except StorageUnusableError as error:
    print("unusable" if "has no file locks" in str(error) else error)
"""


@pytest.mark.parametrize(("platform", "said"), [("Windows", "True False\nTrue\n"), ("none", "unusable\n")])
def test_without_fcntl_files_are_locked_as_on_windows_or_not_at_all(file: Path, platform: str, said: str) -> None:
    command = [sys.executable, "-c", WITHOUT_FCNTL, str(file), platform]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)

    assert done.stdout == said


def test_a_write_that_fails_leaves_what_was(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    storage = FileStorage(file)
    storage.save(SESSION)

    def full(_: int) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr("jeton_client.storage.os.fsync", full)
    with pytest.raises(StorageUnusableError, match="no space"):
        storage.save(Session(Tokens("new", 1.0), "password"))

    assert storage.load() == SESSION
    assert [path.name for path in file.parent.iterdir()] == ["session.json"]


def test_no_secret_is_in_a_repr() -> None:
    assert "secret" not in repr(SESSION)
