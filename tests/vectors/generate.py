"""Writes the vectors from their tables: `python tests/vectors/generate.py`."""

import json
import sys
from pathlib import Path
from typing import Any, Final

FOLDER: Final = Path(__file__).parent
sys.path.insert(0, str(FOLDER.parent))

from vectors import answering, asking, caching, challenging, listing, scenario_tokens, signing, verifying  # noqa: E402 - found just now

TABLES: Final = (asking, answering, caching, verifying, listing, challenging)


def files() -> dict[str, str]:
    """The text of each file, by name."""
    tables: dict[str, Any] = {"public_keys": signing.public_keys(), "tokens": scenario_tokens.tokens()}
    for table in TABLES:
        tables |= table.vectors()
    return {f"{name}.json": json.dumps(cases, indent=1, ensure_ascii=True) + "\n" for name, cases in tables.items()}


if __name__ == "__main__":
    for name, text in files().items():
        (FOLDER / name).write_text(text)
