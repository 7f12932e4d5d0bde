"""Concurrency of password hashes: CPU affinity, control groups of both versions, workers, and the setting."""

import os
from pathlib import Path

import pytest

from jeton.crypto.hashing_concurrency import Resources, hashing_concurrency, process_resources

GIB = 1024**3
DEFAULT_KIB = 47104
CONTAINER, SERVICE = "0::/\n", "0::/app.slice/jeton.service\n"
VERSION_1 = "5:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc\n1:name=systemd:/docker/abc\n0::/docker/abc\n"


@pytest.fixture(autouse=True)
def _machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Simulate eight cores and 64 GiB."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    monkeypatch.setattr(os, "sysconf", {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 64 * GIB // 4096}.__getitem__)


def found(root: Path, groups: str | None, files: str) -> tuple[float, float]:
    """Return cores and GiB of a process in these control groups; `files` has lines of a path and its content."""
    texts = {f"sys/fs/cgroup/{it.partition(' ')[0]}": it.partition(" ")[2] for it in files.splitlines()}
    if groups is not None:
        texts["proc/self/cgroup"] = groups
    for name, text in texts.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text + "\n")
    resources = process_resources(root)
    return resources.cores, resources.memory_bytes / GIB


SLICE = f"""app.slice/cpu.max 200000 100000
app.slice/jeton.service/cpu.max 400000 100000
app.slice/memory.max {2 * GIB}
app.slice/jeton.service/memory.max max"""
LIMITED_1 = f"""cpu/cpu.cfs_quota_us 300000
cpu/cpu.cfs_period_us 100000
memory/memory.limit_in_bytes {GIB}"""
UNLIMITED_1 = """cpu/docker/abc/cpu.cfs_quota_us -1
cpu/docker/abc/cpu.cfs_period_us 100000
memory/docker/abc/memory.limit_in_bytes 9223372036854771712"""


@pytest.mark.parametrize(
    ("groups", "files", "expected"),
    [
        pytest.param(None, "", (8, 64), id="no control groups"),
        pytest.param(CONTAINER, "", (8, 64), id="no limits"),
        pytest.param(CONTAINER, f"cpu.max 150000 100000\nmemory.max {GIB}", (1.5, 1), id="version 2, container"),
        pytest.param(CONTAINER, "cpu.max max 100000\nmemory.max max", (8, 64), id="version 2, no limit"),
        pytest.param(SERVICE, "app.slice/jeton.service/cpu.max 400000 100000", (4, 64), id="version 2, service"),
        pytest.param(SERVICE, SLICE, (2, 2), id="version 2, the enclosing slice has less"),
        pytest.param("0::/../../kubepods/pod1\n", "cpu.max 50000 100000", (0.5, 64), id="version 2, outside the mount"),
        pytest.param(VERSION_1, LIMITED_1, (3, 1), id="version 1, path of the host"),
        pytest.param(VERSION_1, UNLIMITED_1, (8, 64), id="version 1, no limit"),
        pytest.param("garbage\n::\n", "cpu.max 1 2", (8, 64), id="garbage"),
        pytest.param(CONTAINER, "cpu.max many\nmemory.max 0", (8, 64), id="garbage in limits"),
    ],
)
def test_smallest_limit_applies(tmp_path: Path, groups: str | None, files: str, expected: tuple[float, float]) -> None:
    assert found(tmp_path, groups, files) == expected


def test_cpu_affinity_applies_instead_of_the_host_cores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3})
    monkeypatch.setattr(os, "cpu_count", lambda: 64)

    assert found(tmp_path, CONTAINER, "cpu.max 400000 100000") == (1, 64)


@pytest.mark.requirement("O16")
@pytest.mark.parametrize(
    ("setting", "cores", "gib", "workers", "memory_kib", "lanes", "expected"),
    [
        pytest.param(0, 8, 64, 1, DEFAULT_KIB, 1, 8, id="a core each"),
        pytest.param(0, 8, 64, 3, DEFAULT_KIB, 1, 2, id="divided by workers, rounded down"),
        pytest.param(0, 0.5, 64, 1, DEFAULT_KIB, 1, 1, id="at least one"),
        pytest.param(0, 2, 64, 4, DEFAULT_KIB, 1, 1, id="more workers than cores"),
        pytest.param(0, 8, 64, 1, DEFAULT_KIB, 4, 2, id="a core for each lane"),
        pytest.param(0, 8, 0.5, 1, DEFAULT_KIB, 1, 2, id="half of the memory, 128 MiB for an imported hash"),
        pytest.param(0, 8, 4, 1, GIB // 1024, 1, 2, id="half of the memory, 1 GiB for an own hash"),
        pytest.param(0, 8, 4, 2, GIB // 1024, 1, 1, id="memory is divided by workers"),
        pytest.param(0, 8, 0.1, 1, DEFAULT_KIB, 1, 1, id="hardly any memory"),
        pytest.param(3, 1, 1, 4, DEFAULT_KIB, 1, 3, id="the setting overrides everything"),
    ],
)
def test_worker_concurrency_is_its_share_of_the_resources_or_the_setting(
    setting: int, cores: float, gib: float, workers: int, memory_kib: int, lanes: int, expected: int
) -> None:
    resources = Resources(cores, int(gib * GIB))

    assert hashing_concurrency(setting, resources, workers, memory_kib, lanes) == expected
