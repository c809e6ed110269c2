"""Where a command's input comes from and its output goes: files, standard input and output."""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import IO

from festival.errors import FestivalError, LineupError
from festival.inspection.reading import inspect_any, read_any
from festival.inspection.result import Inspection
from festival.lineup.mapping import LineupMapping
from festival.lineup.model import Block

CHUNK_BYTES = 256 * 1024
IN_MEMORY_BYTES = 1024 * 1024
STANDARD = "-"


def chunks_of(file: str) -> Iterator[bytes]:
    """The bytes of a file, or of standard input for `-`.

    Raises LineupError if it cannot be read, so that the report of the file says so.
    """
    try:
        if file == STANDARD:
            yield from _chunks(sys.stdin.buffer)
        else:
            with Path(file).open("rb") as opened:
                yield from _chunks(opened)
    except OSError as error:
        raise LineupError(f"cannot be read: {error.strerror or error}") from None
    except ValueError as error:  # a NUL in the name
        raise LineupError(f"cannot be read: {error}") from None


def _chunks(opened: IO[bytes]) -> Iterator[bytes]:
    while chunk := opened.read(CHUNK_BYTES):
        yield chunk


def blocks_of(file: str, mapping: LineupMapping, sheet: str | None = None) -> Iterator[Block]:
    """The rows of a lineup file, an Excel workbook or a calendar, told apart by their content.

    Raises LineupError while reading, as `read_lineup` does.
    """
    return read_any(chunks_of(file), mapping=mapping, sheet=sheet)


def inspection_of(file: str, mapping: LineupMapping, sheet: str | None = None) -> Inspection:
    """How the same is understood. Raises LineupError if it cannot be opened."""
    return inspect_any(chunks_of(file), mapping=mapping, sheet=sheet)


def refuse_same_file(file: str, out: str | None) -> None:
    """Raises FestivalError if the output would replace the input."""
    if out is None or file == STANDARD or not Path(out).exists() or not Path(file).exists():
        return
    if Path(out).samefile(file):
        raise FestivalError(f"{out} is the input itself: expected another file to write to")


@contextmanager
def written_whole(out: str | None) -> Iterator[IO[bytes]]:
    """A place to write and read, whose content becomes the file `out` if all goes well.

    Without `out` it goes to standard output; into a device or a pipe it is copied.
    """
    target = None if out is None or out == STANDARD else Path(out).resolve()
    if target is None or (target.exists() and not target.is_file()):
        with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY_BYTES) as place:
            yield place
            place.seek(0)
            with nullcontext(sys.stdout.buffer) if target is None else target.open("wb") as opened:
                shutil.copyfileobj(place, opened, CHUNK_BYTES)
                opened.flush()
        return
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with part.open("x+b") as place:
            yield place
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
