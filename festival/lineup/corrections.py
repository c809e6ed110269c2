"""The form of a rejected-rows file, so that what is written there comes back unchanged.

Such a file has the columns of the file it came from and, at the end, the ADDED_COLUMNS.
"""

from collections.abc import Sequence

ADDED_COLUMNS = ("rejected_from", "line", "reason")
RAW_COLUMN = "unreadable_row"
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "'")


def guard(cell: str) -> str:
    """The cell with an apostrophe in front where a spreadsheet would run it as a formula."""
    return "'" + cell if cell.startswith(FORMULA_STARTS) else cell


def unguard(cell: str) -> str:
    """The cell as it was before `guard`."""
    return cell[1:] if cell.startswith("'") else cell


def is_rejected_rows_header(header: Sequence[str]) -> bool:
    """Whether a CSV with this header is a rejected-rows file of the kit."""
    return tuple(header[-len(ADDED_COLUMNS) :]) == ADDED_COLUMNS
