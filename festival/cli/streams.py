"""What a command reads and writes: files, standard input and output, and objects in S3."""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import IO, TYPE_CHECKING

from festival.errors import FestivalError, LineupError
from festival.inspection.evidence import merged
from festival.inspection.reading import inspect_any, read_any
from festival.inspection.result import Inspection
from festival.lineup.mapping import LineupMapping
from festival.lineup.model import Block

if TYPE_CHECKING:
    from festival.kit import Kit

CHUNK_BYTES = 256 * 1024
IN_MEMORY_BYTES = 1024 * 1024
STANDARD = "-"
S3 = "s3://"


def chunks_of(file: str) -> Iterator[bytes]:
    """The bytes of a file, of standard input for `-`, or of an object `s3://BUCKET/KEY`.

    Raises LineupError if it cannot be read, so that the file's report says so.
    """
    try:
        if file == STANDARD:
            yield from _chunks(sys.stdin.buffer)
        elif file.startswith(S3):
            yield from _object(file)
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


def _kit() -> "Kit":
    from festival.kit import Kit  # a file on this machine needs no AWS

    return Kit.from_environment()


def _object(file: str) -> Iterator[bytes]:
    from festival.ingest.s3_object import current_object, object_chunks
    from festival.kit import event_of

    event, s3 = event_of(file), _kit().clients.s3
    current = current_object(s3, event.bucket, event.key)
    if current is None:
        raise LineupError("is not in the bucket")
    yield from object_chunks(s3, current)


def _with_sidecar(file: str, mapping: LineupMapping) -> LineupMapping:
    """For an S3 object: the mapping that the function reads it with, overridden by `mapping`."""
    if not file.startswith(S3):
        return mapping
    from festival.ingest.sidecar import applied_mapping
    from festival.kit import event_of

    event, kit = event_of(file), _kit()
    applied = applied_mapping(kit.clients.s3, event.bucket, event.key, kit.default_mapping)
    if applied.problem:
        raise LineupError(applied.problem)
    return LineupMapping.from_dict(merged(applied.mapping.to_dict(), mapping.to_dict()))


def blocks_of(file: str, mapping: LineupMapping, sheet: str | None = None) -> Iterator[Block]:
    """The rows of a lineup file, an Excel workbook or a calendar; the content decides which it is.

    Raises LineupError while reading, as `read_lineup` does.
    """
    return read_any(chunks_of(file), mapping=_with_sidecar(file, mapping), sheet=sheet)


def inspection_of(file: str, mapping: LineupMapping, sheet: str | None = None) -> Inspection:
    """How a lineup file is understood. Raises LineupError if it cannot be opened."""
    return inspect_any(chunks_of(file), mapping=_with_sidecar(file, mapping), sheet=sheet)


def refuse_same_file(file: str, out: str | None) -> None:
    """Raises FestivalError if the output would replace the input."""
    if out is None or file == STANDARD or not Path(out).exists() or not Path(file).exists():
        return
    if Path(out).samefile(file):
        raise FestivalError(f"{out} is the input itself: expected another file to write to")


@contextmanager
def written_whole(out: str | None) -> Iterator[IO[bytes]]:
    """A temporary file to write and read; its content goes to `out` if the block succeeds.

    `out` is a file, a device, a pipe or `s3://BUCKET/KEY`; None is standard output.
    """
    if out is not None and out.startswith(S3):
        with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY_BYTES) as content:
            yield content
            content.seek(0)
            _upload(content, out)
        return
    target = None if out is None or out == STANDARD else Path(out).resolve()
    if target is None or (target.exists() and not target.is_file()):
        with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY_BYTES) as content:
            yield content
            content.seek(0)
            with nullcontext(sys.stdout.buffer) if target is None else target.open("wb") as opened:
                shutil.copyfileobj(content, opened, CHUNK_BYTES)
                opened.flush()
        return
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with part.open("x+b") as content:
            yield content
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def _upload(content: IO[bytes], out: str) -> None:
    from botocore.exceptions import BotoCoreError, ClientError

    from festival.ingest.s3_object import failed_call
    from festival.kit import event_of

    target = event_of(out)
    try:
        _kit().session.client("s3").upload_fileobj(content, target.bucket, target.key)
    except (BotoCoreError, ClientError) as error:
        raise failed_call(out, error) from None
