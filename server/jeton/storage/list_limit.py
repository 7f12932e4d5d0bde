"""How many rows the lists of administrators have at most: tables may have a million."""

from typing import Final

MAX_LISTED: Final = 1000
