"""Write the vectors that contain signatures, and the public keys: `python tests/vectors/generate.py`."""

import json
import sys
from pathlib import Path
from typing import Any, Final

FOLDER: Final = Path(__file__).parent
sys.path.insert(0, str(FOLDER.parent))

from vectors import access_tokens, dpop_proofs, id_tokens, scenario_tokens, signing, status_lists  # noqa: E402 - see the line above


def files() -> dict[str, str]:
    """Return the text of each file, by name."""
    lists: dict[str, list[dict[str, Any]]] = {
        "access_tokens": access_tokens.access_tokens(),
        "dpop_proofs": dpop_proofs.dpop_proofs(),
        "id_tokens": id_tokens.id_tokens(),
        "logout_tokens": id_tokens.logout_tokens(),
        "status_list_tokens": status_lists.status_list_tokens(),
    }
    objects = {"public_keys": signing.public_keys(), "tokens": scenario_tokens.tokens()}
    one_a_line = {name: "[\n" + ",\n".join(map(json.dumps, cases)) + "\n]\n" for name, cases in lists.items()}
    texts = one_a_line | {name: json.dumps(members, indent=1) + "\n" for name, members in objects.items()}
    return {f"{name}.json": text for name, text in texts.items()}


if __name__ == "__main__":
    for name, text in files().items():
        (FOLDER / name).write_text(text)
