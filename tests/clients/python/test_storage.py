"""Storages of sessions: complete or unchanged, private to their owner, one writer at a time."""

import fcntl
import os
import subprocess
import sys
from collections.abc import Callable
from errno import ENOLCK
from pathlib import Path
from typing import Final

import httpx2
import pytest

from clients.python.scenario import CLIENT
from clients.python.vectors import ISSUER, SERVER
from jeton_client.errors import StorageUnusableError
from jeton_client.session import PendingRefresh, Session
from jeton_client.storage import FileStorage, MemoryStorage, Storage
from jeton_client.token_answers import Tokens
from jeton_client.token_session import TokenSession
from support.checkout import ROOT

SESSION: Final = Session(
    Tokens("access-secret", 1.5, 601.5, "refresh-secret", "read"), "password", "read", PendingRefresh("key-secret", 2.0)
)
IMPORT: Final = f"import sys; sys.path.insert(0, {str(ROOT / 'clients' / 'python')!r})\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "session.json"


@pytest.fixture(params=["memory", "file"])
def storages(request: pytest.FixtureRequest, file: Path) -> tuple[Storage, Storage]:
    """Two storage objects over the same files."""
    memory = MemoryStorage()
    return (memory, memory) if request.param == "memory" else (FileStorage(file), FileStorage(file))


def test_a_saved_session_is_loaded_until_it_is_deleted(storages: tuple[Storage, Storage]) -> None:
    one, other = storages
    assert one.load() is None

    one.save(SESSION)
    assert other.load() == SESSION

    for _ in range(2):
        one.save(None)
        assert other.load() is None


def test_the_lock_has_one_holder(storages: tuple[Storage, Storage]) -> None:
    one, other = storages
    assert one.try_lock()
    assert not one.try_lock()
    assert not other.try_lock()

    one.unlock()

    assert other.try_lock()


def test_the_lock_of_a_killed_process_is_free(file: Path) -> None:
    script = f"""{IMPORT}
from jeton_client import FileStorage
storage = FileStorage({str(file)!r})
print(storage.try_lock(), flush=True)
sys.stdin.read()
"""
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"True\n"
        assert not FileStorage(file).try_lock()
        process.kill()

    assert FileStorage(file).try_lock()


def test_files_are_private_to_their_owner(file: Path) -> None:
    old = os.umask(0)
    try:
        storage = FileStorage(file)
        storage.save(SESSION)
        storage.try_lock()
    finally:
        os.umask(old)

    modes = {path.name: path.stat().st_mode & 0o777 for path in file.parent.iterdir()}
    assert modes == {"session.json": 0o600, "session.json.lock": 0o600}
    file.chmod(0o640)
    with pytest.raises(StorageUnusableError, match="chmod 600"):
        storage.load()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        *((SESSION.to_json(), it) for it in ("", "{}", "[]", "\udcff", '{"tokens": 1, "pending": null}')),
        (SESSION.to_json()[-9:], ""),
        *(("1.5", '"soon"'), ("601.5", "[]"), ('"access-secret"', "null"), ('"refresh-secret"', "7")),
        *(('"key-secret"', "{}"), ('"password"', '"magic"')),
    ],
)
def test_a_file_with_something_else_is_reported_and_left_alone(file: Path, old: str, new: str) -> None:
    octets = SESSION.to_json().replace(old, new).encode(errors="surrogateescape")
    file.write_bytes(octets)
    file.chmod(0o600)

    with pytest.raises(StorageUnusableError):
        FileStorage(file).load()

    assert file.read_bytes() == octets


def without_locks(_: Path, patch: pytest.MonkeyPatch) -> None:
    def flock(_: int, __: int) -> None:
        raise OSError(ENOLCK, "no locks available")

    patch.setattr("fcntl.flock", flock)


def full_disk(_: Path, patch: pytest.MonkeyPatch) -> None:
    patch.setattr("jeton_client.storage.mkstemp", lambda **_: os.open("/dev/full/x", os.O_RDONLY))


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda file, _: file.with_name("session.json.lock").mkdir(), id="a folder instead of the lock"),
        pytest.param(lambda file, _: (file / "below").mkdir(parents=True), id="a folder instead of the session"),
        pytest.param(lambda file, _: file.parent.rmdir(), id="no folder"),
        pytest.param(lambda file, _: (file.parent.rmdir(), file.parent.touch()), id="a file instead of the folder"),
        pytest.param(without_locks, id="no locks"),
        pytest.param(full_disk, id="a full disk"),
    ],
)
def test_an_unusable_file_is_detected_before_a_password_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spoil: Callable[[Path, pytest.MonkeyPatch], None]
) -> None:
    file = tmp_path / "folder" / "session.json"
    file.parent.mkdir()
    spoil(file, monkeypatch)
    methods: list[str] = []

    def metadata(request: httpx2.Request) -> httpx2.Response:
        methods.append(request.method)
        return httpx2.Response(200, json=SERVER["answers"]["metadata"]["body"])

    http = httpx2.Client(transport=httpx2.MockTransport(metadata))
    with pytest.raises(StorageUnusableError):
        TokenSession(ISSUER, CLIENT, storage=FileStorage(file), http=http).log_in("alice", "the-password")

    assert methods == ["GET"]


def test_a_deleted_lock_file_is_no_lock(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flock = fcntl.flock

    def deleted_first(descriptor: int, operation: int) -> None:
        file.with_name("session.json.lock").unlink()
        flock(descriptor, operation)

    with monkeypatch.context() as patch:
        patch.setattr("fcntl.flock", deleted_first)
        assert not FileStorage(file).try_lock()

    assert FileStorage(file).try_lock()


WITHOUT_FCNTL: Final = f"""{IMPORT}
import errno, os, subprocess, types
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


@pytest.mark.parametrize(("platform", "output"), [("Windows", "True False\nTrue\n"), ("none", "unusable\n")])
def test_without_fcntl_files_are_locked_as_on_windows_or_not_at_all(file: Path, platform: str, output: str) -> None:
    command = [sys.executable, "-c", WITHOUT_FCNTL, str(file), platform]

    assert subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout == output


def test_a_failed_write_leaves_the_stored_session(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    storage = FileStorage(file)
    storage.save(SESSION)

    def full(_: int) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr("jeton_client.storage.os.fsync", full)
    with pytest.raises(StorageUnusableError, match="no space"):
        storage.save(Session(Tokens("new", 1.0), "password"))

    assert storage.load() == SESSION
    assert [path.name for path in file.parent.iterdir()] == ["session.json"]


@pytest.mark.parametrize("session", [SESSION, None], ids=["saved", "deleted"])
def test_a_change_is_durable_before_it_is_used(
    session: Session | None, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage, synchronized = FileStorage(file), list[bool]()
    storage.save(SESSION)
    monkeypatch.setattr(
        os, "fsync", lambda descriptor: synchronized.append(os.path.samestat(os.fstat(descriptor), file.parent.stat()))
    )

    storage.save(session)

    assert synchronized[-1]


def test_no_secret_is_in_a_repr() -> None:
    assert "secret" not in repr(SESSION)
