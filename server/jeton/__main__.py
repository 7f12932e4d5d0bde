"""`python -m jeton` is the command `jeton`."""

from jeton.cli import main

main()
