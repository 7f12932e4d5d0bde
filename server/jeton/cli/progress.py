"""Progress of commands that take long: a bar on a terminal, and nothing where standard error is not one."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

# Is called with the amount of work that was done since the last call, and the amount in all.
Progress = Callable[[int, int], None]


@contextmanager
def progress_bar(label: str, *, hidden: bool = False) -> Iterator[Progress]:
    """Yield what to report progress to. The bar is on standard error: standard output holds the result only."""
    with click.progressbar(
        length=1, label=label, file=sys.stderr, hidden=hidden or not sys.stderr.isatty(), update_min_steps=1
    ) as bar:

        def advance(done: int, total: int) -> None:
            bar.length = max(total, 1)
            bar.update(done)

        yield advance
