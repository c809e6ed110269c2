"""Excel workbooks: the rows of the one sheet that is meant (openpyxl)."""

import warnings
import zipfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import IO, Any

from openpyxl import load_workbook

from festival.errors import LineupError
from festival.lineup.limits import DEFAULT_LIMITS

Row = tuple[object, ...]


def rows_of_workbook(book: Path | IO[bytes], sheet: str | None = None) -> Iterator[Row]:
    """The rows of a sheet as plain values, its header among them; formulas as their last result.

    Without `sheet` there has to be only one that has rows. Raises LineupError for what is no
    workbook, is larger than a decompressed file may be, or leaves open which sheet is meant.
    """
    try:
        with zipfile.ZipFile(book) as archive:
            _refuse_large(sum(entry.file_size for entry in archive.infolist()))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of extensions that openpyxl leaves out
            with closing(load_workbook(book, read_only=True, data_only=True)) as workbook:
                yield from _chosen(workbook.worksheets, sheet).iter_rows(values_only=True)
    except LineupError:
        raise
    except (zipfile.BadZipFile, KeyError, ValueError, TypeError, EOFError, SyntaxError) as error:
        raise LineupError(
            f"the file is a zip archive and no Excel workbook that can be read ({error}); "
            "expected .xlsx, or the sheet saved as CSV"
        ) from None


def _refuse_large(size: int) -> None:
    limit = DEFAULT_LIMITS.decompressed_bytes
    if size > limit:
        raise LineupError(
            f"the workbook has {size:,} bytes when decompressed; expected {limit:,} at most"
        )


def _chosen(sheets: list[Any], name: str | None) -> Any:
    names = ", ".join(f"'{each.title}'" for each in sheets)
    if name is not None:
        for each in sheets:
            if each.title == name:
                return each
        raise LineupError(f"the workbook has no sheet '{name}'; expected one of {names}")
    full = [each for each in sheets if _has_a_row(each)]
    if len(full) > 1:
        raise LineupError(f"the workbook has several sheets with rows; expected one of {names}")
    if not full:
        raise LineupError("the workbook is empty; expected a sheet with a header row")
    return full[0]


def _has_a_row(sheet: Any) -> bool:
    sheet.reset_dimensions()  # some programs write that the sheet is one cell large
    return any(cell is not None for row in sheet.iter_rows(values_only=True) for cell in row)
