"""Constants of the server that a test replaces in a forked command, so that it need not outlast their intervals."""

import pkgutil
from collections.abc import Mapping


def replace_constants(variables: Mapping[str, str]) -> None:
    """Replace the constants that variables name, as `jeton.http.dispatch.DEADLINE_SECONDS`."""
    for name, value in variables.items():
        if name.startswith("jeton."):
            module, _, constant = name.rpartition(".")
            loaded = pkgutil.resolve_name(module)
            assert hasattr(loaded, constant), name
            setattr(loaded, constant, float(value))
