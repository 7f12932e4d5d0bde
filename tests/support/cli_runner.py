"""The command `jeton`, run in this process with its own environment, and checks of its exit status."""

import json
import os
import sys
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from typing import Any, TextIO
from unittest.mock import patch

from click.testing import CliRunner, Result

from jeton.cli import REFUSALS, jeton, main
from jeton.frozen import Frozen, replace


class CommandLine(Frozen):
    """A terminal with these environment variables."""

    environment: Mapping[str, str]

    def with_variables(self, **variables: str) -> "CommandLine":
        """Return a copy with more settings, named without the prefix; an empty value unsets one."""
        named = {f"JETON_{name}": value for name, value in variables.items()}
        return replace(self, environment={name: it for name, it in {**self.environment, **named}.items() if it})

    def run(self, *words: str, stdin: str | bytes | None = None) -> Result:
        return CliRunner(env=dict(self.environment)).invoke(jeton, words, stdin)

    def text(self, *words: str, stdin: str | bytes | None = None) -> str:
        """Run a command that must succeed, and warns of nothing. Return its output."""
        result = self.run(*words, stdin=stdin)
        assert result.exit_code == 0, result.output or repr(result.exception)
        assert [it for it in result.stderr.splitlines() if not it.startswith("jeton: created the database ")] == []
        return result.stdout

    def json(self, *words: str, stdin: str | bytes | None = None) -> Any:
        """Run a command with --json that must succeed. Return the parsed output."""
        return json.loads(self.text(*words, "--json", stdin=stdin))

    def refused(self, *words: str, stdin: str | bytes | None = None) -> str:
        """Run a command that must be refused (status 1). Return the one line that gives the reason."""
        result = self.run(*words, stdin=stdin)
        assert isinstance(result.exception, REFUSALS), result.output or repr(result.exception)
        assert (result.exit_code, result.stdout) == (1, "")
        sentence = str(result.exception)
        assert sentence.strip()
        assert len(sentence.splitlines()) == 1
        return sentence

    def misused(self, *words: str) -> str:
        """Run a command with wrong usage (status 2). Return the message."""
        result = self.run(*words)
        assert result.exit_code == 2, result.output or repr(result.exception)
        assert "Usage:" in result.stderr
        return result.stderr

    def main(self, *words: str, terminal: TextIO | None = None) -> tuple[object, str, str]:
        """Run the entry point, on a terminal if one is given. Return exit status, output and errors."""
        output, errors, status = StringIO(), StringIO(), None
        with (
            patch.dict(os.environ, self.environment),
            patch.object(sys, "argv", ["jeton", *words]),
            redirect_stdout(output),
            redirect_stderr(terminal or errors),
        ):
            try:
                main()
            except SystemExit as end:
                status = end.code
        return status, output.getvalue(), errors.getvalue()
