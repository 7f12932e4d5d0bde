"""Argon2 hashes in huge pages: the digests are those of the library, and its memory comes and goes."""

import mmap
import subprocess
import sys
from itertools import product
from unittest.mock import Mock

import pytest
from argon2 import Parameters, PasswordHasher, Type, low_level
from argon2.exceptions import InvalidHashError

from jeton.crypto import argon2_hashes
from jeton.crypto.argon2_hashes import compute_argon2_hash, parse_argon2_hash

PASSWORD = b"correct horse battery staple\0\xff"
CHEAP = Parameters(Type.ID, 0x13, 16, 32, 1, 8, 1)
# In a process that may make no memory executable, as with MemoryDenyWriteExecute of systemd; see prctl(2).
DENIED = f"""
import ctypes
PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN = 65, 1
ctypes.CDLL(None).prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0)
from argon2 import Parameters, Type
from jeton.crypto.argon2_hashes import compute_argon2_hash
print(compute_argon2_hash({PASSWORD!r}, Parameters(Type.ID, 0x13, 16, 32, 1, 8, 1)))
"""


def library_accepts(text: str, password: bytes = PASSWORD) -> bool:
    return PasswordHasher().verify(text, password)


@pytest.mark.parametrize(
    ("kind", "version", "costs"),
    [*product(Type, (0x10, 0x13), ((1, 8, 1), (3, 64, 4))), (Type.ID, 0x13, (1, 47104, 1))],
)
def test_hash_is_that_of_the_library(kind: Type, version: int, costs: tuple[int, int, int]) -> None:
    parameters = Parameters(kind, version, 16, 32, *costs)
    found = compute_argon2_hash(PASSWORD, parameters)
    expected = low_level.hash_secret(PASSWORD, found.salt, *costs, 32, kind, version)

    assert str(found) == expected.decode()
    assert parse_argon2_hash(str(found)) == found
    assert found.is_of(PASSWORD)
    assert not found.is_of(PASSWORD[:-1])
    assert argon2_hashes._memory == {}


def test_hash_without_a_version_is_of_the_first_one() -> None:
    text = str(compute_argon2_hash(PASSWORD, Parameters(Type.I, 0x10, 16, 32, 1, 8, 1))).replace("$v=16", "")

    assert library_accepts(text)
    assert parse_argon2_hash(text).is_of(PASSWORD)


@pytest.mark.parametrize(
    ("old", "new"),
    [("$argon2id", "argon2id"), ("m=8", "m=08"), ("m=8", "m=+8"), ("t=1", "t=1_0"), ("p=1", "p=\u0661"), ("$v=19", ""),
     ("m=8,t=1", "t=1,m=8"), ("argon2id", "argon2x"), ("$m=8", "$$m=8"), ("p=1$", "p=1$=")],
)  # fmt: skip
def test_form_that_would_not_be_written_is_refused(old: str, new: str) -> None:
    text = str(compute_argon2_hash(PASSWORD, CHEAP))
    changed = text.replace(old, new, 1)

    assert changed != text
    if new:
        with pytest.raises(InvalidHashError):
            parse_argon2_hash(changed)
    else:
        assert not parse_argon2_hash(changed).is_of(PASSWORD)


def test_impossible_parameters_and_a_lack_of_memory_are_no_wrong_password(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="Salt is too short"):
        compute_argon2_hash(PASSWORD, Parameters(Type.ID, 0x13, 4, 32, 1, 8, 1))

    monkeypatch.setattr("mmap.mmap", Mock(side_effect=OSError))
    with pytest.raises(MemoryError):
        compute_argon2_hash(PASSWORD, CHEAP)


@pytest.mark.parametrize("has_huge_pages", [True, False])
def test_huge_pages_are_asked_for_where_the_kernel_has_them(
    monkeypatch: pytest.MonkeyPatch, has_huge_pages: bool
) -> None:
    advice: list[tuple[int, int]] = []

    class Recorded(mmap.mmap):
        def madvise(self, option: int, *_: int) -> None:
            advice.append((option, len(self)))
            if not has_huge_pages:
                raise OSError("invalid argument")

    monkeypatch.setattr("mmap.mmap", Recorded)
    assert library_accepts(str(compute_argon2_hash(PASSWORD, CHEAP)))
    assert advice == [(mmap.MADV_HUGEPAGE, 8 * 1024)]


def test_library_allocates_where_no_callback_can_be_made(monkeypatch: pytest.MonkeyPatch) -> None:
    denied = subprocess.run([sys.executable, "-c", DENIED], capture_output=True, text=True, timeout=60, check=True)
    assert library_accepts(denied.stdout.strip())

    monkeypatch.delattr("mmap.MADV_HUGEPAGE")
    assert argon2_hashes._callbacks() == (low_level.ffi.NULL, low_level.ffi.NULL)
