"""SoftHSM with a token, used through PKCS#11 like any HSM."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from support.programs import find_program

LABEL: Final = "jeton"
PIN: Final = "tests only: 73914"
_SECURITY_OFFICER: Final = "tests only: 20586"
_MODULES: Final = ("/usr/lib/softhsm", "/usr/lib64/softhsm", "/usr/lib64/pkcs11", "/usr/local/lib/softhsm")


@dataclass(frozen=True, slots=True)
class SoftHsm:
    """A token, available through `module` if the environment variable SOFTHSM2_CONF names its `configuration`."""

    module: str
    folder: Path

    @property
    def configuration(self) -> str:
        return str(self.folder / "softhsm2.conf")

    @property
    def settings(self) -> dict[str, str]:
        """The settings, named as in the environment, without the prefix."""
        return {
            "KEYS__STORE": "pkcs11",
            "PKCS11__MODULE": self.module,
            "PKCS11__TOKEN_LABEL": LABEL,
            "PKCS11__PIN": PIN,
        }

    def objects(self) -> int:
        """Return the number of objects on the token."""
        return len(list(self.folder.glob("tokens/*/*.object"))) - len(list(self.folder.glob("tokens/*/token.object")))

    def copy(self, folder: Path) -> "SoftHsm":
        """Return a token in this folder, with the same keys."""
        shutil.copytree(self.folder / "tokens", folder / "tokens")
        return _configured(SoftHsm(self.module, folder))

    @contextmanager
    def unavailable(self) -> Iterator[None]:
        """Make the token unavailable until the end of the block."""
        (self.folder / "tokens").rename(self.folder / "elsewhere")
        (self.folder / "tokens").mkdir()
        try:
            yield
        finally:
            (self.folder / "tokens").rmdir()
            (self.folder / "elsewhere").rename(self.folder / "tokens")


def soft_hsm(folder: Path) -> SoftHsm:
    """Return SoftHSM with an empty token."""
    tool = find_program("softhsm2-util", "softhsm2")
    module = next(file for it in _MODULES if (file := Path(it) / "libsofthsm2.so").is_file())
    (folder / "tokens").mkdir(parents=True)
    hsm = _configured(SoftHsm(str(module), folder))
    words = ["--init-token", "--free", "--label", LABEL, "--pin", PIN, "--so-pin", _SECURITY_OFFICER]
    environment = {"SOFTHSM2_CONF": hsm.configuration}
    subprocess.run([tool, *words], env=environment, check=True, capture_output=True, timeout=30)
    return hsm


def _configured(hsm: SoftHsm) -> SoftHsm:
    Path(hsm.configuration).write_text(f"directories.tokendir = {hsm.folder}/tokens\nlog.level = ERROR\n")
    return hsm
