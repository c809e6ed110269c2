"""Builds what a deployment uploads: the function's zip, and the archive for a scheduled backfill.

The same sources give the same bytes.
"""

import hashlib
import marshal
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from importlib.util import MAGIC_NUMBER, source_hash
from pathlib import Path

import festival
from festival.errors import FestivalError

ROOMS = ("lineup", "table", "ingest")
MODULES = ("__init__.py", "errors.py", "threads.py", "text.py")

# The function's Python. If this process runs the same one, the zip also holds bytecode.
RUNTIME = (3, 12)
_UNCHECKED_HASH = (0b01).to_bytes(4, "little")  # PEP 552: Python does not check the source
_MARSHAL_WITHOUT_REFERENCES = 2  # later versions depend on what else the process has in memory

# The earliest time a zip can hold; any fixed one would do.
_EPOCH = (1980, 1, 1, 0, 0, 0)
_UNIX = 3
_PLAIN_FILE_ALL_MAY_READ = 0o100644 << 16


def build_zip(out: Path) -> Path:
    """Write the function's zip to `out` and return it.

    The same sources give the same bytes on any machine: times, permissions and order are fixed, and
    nothing is compressed, because zlib implementations compress the same input differently. If this
    process runs the function's Python, the zip also holds bytecode: each cold start would otherwise
    compile every module again, because the function's folder is read-only. Another Python builds a
    zip of sources alone, and ignores the bytecode if it runs the zip.

    Raises FestivalError if the package on this machine is incomplete, or `out` cannot be written.
    """
    package = Path(festival.__file__).parent
    files: dict[str, Path | bytes] = {}
    for path in _sources(package):
        name = path.relative_to(package.parent).as_posix()
        files[name] = path
        if sys.version_info[:2] == RUNTIME:
            files[_bytecode_name(name)] = bytecode(path.read_bytes(), name)
    return write_archive(out, files)


def bytecode(source: bytes, name: str) -> bytes:
    """A module's `.pyc` for this Python. The same source gives the same bytes."""
    code = compile(source, name, "exec", dont_inherit=True, optimize=0)
    body = marshal.dumps(code, _MARSHAL_WITHOUT_REFERENCES)
    return MAGIC_NUMBER + _UNCHECKED_HASH + source_hash(source) + body


def write_archive(out: Path, files: Mapping[str, Path | bytes]) -> Path:
    """Write a zip; `files` maps names in it to files or bytes. Same content, same bytes."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
            for name, file in files.items():
                content = file if isinstance(file, bytes) else file.read_bytes()
                archive.writestr(_entry(name), content)
    except OSError as error:
        raise FestivalError(f"The zip {out} cannot be built: {error}") from error
    return out


def content_key(archive: Path, prefix: str = "lambda/") -> str:
    """The key under which to upload a zip. The same content has the same key."""
    with archive.open("rb") as content:
        return f"{prefix}{hashlib.file_digest(content, 'sha256').hexdigest()[:32]}.zip"


def _sources(package: Path) -> Iterator[Path]:
    yield from (package / module for module in MODULES)
    for room in ROOMS:
        yield from sorted((package / room).rglob("*.py"))


def _bytecode_name(name: str) -> str:
    folder, _, module = name.rpartition("/")
    tag = f"cpython-{RUNTIME[0]}{RUNTIME[1]}"
    return f"{folder}/__pycache__/{module.removesuffix('.py')}.{tag}.pyc"


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _EPOCH)
    entry.create_system = _UNIX
    entry.external_attr = _PLAIN_FILE_ALL_MAY_READ
    return entry


# ── the archive for a scheduled backfill: the notebooks and every wheel they need ────────────────

REPOSITORY = Path(__file__).parents[2]
EXTRAS = "festival[analysis,notebooks]"
# This interpreter's version: pip can only guess which packages another one needs.
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
PLATFORMS = (
    "manylinux_2_28_x86_64",
    "manylinux_2_17_x86_64",
    "manylinux2014_x86_64",
    "linux_x86_64",
)
LAST_LINES = 3


def make_archive(out: Path) -> Path:
    """Collect the wheels with pip, which takes a minute or two, and write the archive to `out`.

    The versions come from `constraints.txt`. Raises FestivalError if pip cannot get one of them.
    """
    with tempfile.TemporaryDirectory() as folder:
        wheels, sources = Path(folder, "wheels"), Path(folder, "sources")
        _copy_sources(sources)
        for command in pip_commands(sources, wheels):
            _pip(command)
        return build_archive(out, wheels)


def build_archive(out: Path, wheels: Path) -> Path:
    """Write this repository's notebooks and a folder's wheels to the archive `out`.

    The same content gives the same bytes. Raises FestivalError if `out` cannot be written.
    """
    notebooks = sorted((REPOSITORY / "notebooks").glob("*.ipynb"))
    files = {f"notebooks/{path.name}": path for path in notebooks}
    files |= {f"wheels/{path.name}": path for path in sorted(wheels.glob("*.whl"))}
    return write_archive(out, files)


def pip_commands(sources: Path, wheels: Path) -> tuple[Sequence[str], Sequence[str]]:
    """pip's arguments: for the kit's own wheel, then for its dependencies, on Linux x86-64."""
    own = ("wheel", "--no-deps", "--wheel-dir", str(wheels), str(sources))
    needed = (
        *("download", "--only-binary=:all:", "--python-version", PYTHON),
        *(part for platform in PLATFORMS for part in ("--platform", platform)),
        *("--constraint", str(REPOSITORY / "constraints.txt")),
        *("--find-links", str(wheels), "--dest", str(wheels), EXTRAS),
    )
    return own, needed


def _copy_sources(to: Path) -> None:
    """Copy the sources: a wheel built in the repository would include files of an earlier build."""
    try:
        shutil.copytree(REPOSITORY / "festival", to / "festival")
        for name in ("pyproject.toml", "README.md", "LICENSE"):
            shutil.copy(REPOSITORY / name, to)
    except OSError as error:
        raise FestivalError(
            f"The kit cannot be packed: {error}; it is packed from its repository, not from an"
            " installed package"
        ) from error


def _pip(command: Sequence[str]) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "pip", "--quiet", *command],
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode:
        last = " | ".join(result.stderr.strip().splitlines()[-LAST_LINES:])
        raise FestivalError(f"pip {command[0]} cannot get the wheels of the kit: {last}")
