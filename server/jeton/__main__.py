"""The command `jeton`, also as `python -m jeton`."""

import sys


def main() -> None:
    """Run the command. Ctrl-C while its modules are imported, which takes a moment, leaves no traceback."""
    try:
        from jeton.cli import main as run
    except KeyboardInterrupt:
        sys.exit("\nAborted!")
    run()


if __name__ == "__main__":
    main()
