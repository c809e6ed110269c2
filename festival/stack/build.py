"""The function's zip: the rooms that the handler needs, the same bytes from the same sources."""

import hashlib
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import festival
from festival.errors import FestivalError

ROOMS = ("lineup", "table", "ingest")
MODULES = ("__init__.py", "errors.py", "threads.py", "text.py")

# A zip cannot tell an earlier time, and any fixed one will do.
_EPOCH = (1980, 1, 1, 0, 0, 0)
_UNIX = 3
_PLAIN_FILE_ALL_MAY_READ = 0o100644 << 16


def build_zip(out: Path) -> Path:
    """Write the function's zip to `out` and return it.

    The same sources give the same bytes on any machine: fixed times, rights and order, and nothing
    compressed, because zlib's implementations differ in what they make of the same input.

    Raises FestivalError where the package on this machine is not whole, or `out` cannot be written.
    """
    package = Path(festival.__file__).parent
    sources = {path.relative_to(package.parent).as_posix(): path for path in _sources(package)}
    return write_archive(out, sources)


def write_archive(out: Path, files: Mapping[str, Path]) -> Path:
    """Write a zip of files by their names in it: the same content gives the same bytes."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
            for name, path in files.items():
                archive.writestr(_entry(name), path.read_bytes())
    except OSError as error:
        raise FestivalError(f"The zip {out} cannot be built: {error}") from error
    return out


def content_key(archive: Path, prefix: str = "lambda/") -> str:
    """The key under which a zip is uploaded: as long as the content is the same, so is the key."""
    with archive.open("rb") as content:
        return f"{prefix}{hashlib.file_digest(content, 'sha256').hexdigest()[:32]}.zip"


def _sources(package: Path) -> Iterator[Path]:
    yield from (package / module for module in MODULES)
    for room in ROOMS:
        yield from sorted((package / room).rglob("*.py"))


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _EPOCH)
    entry.create_system = _UNIX
    entry.external_attr = _PLAIN_FILE_ALL_MAY_READ
    return entry
