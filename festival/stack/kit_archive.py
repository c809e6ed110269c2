"""The archive that a scheduled backfill runs from: the notebooks, and every wheel they need."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from festival.errors import FestivalError
from festival.stack.build import write_archive

REPOSITORY = Path(__file__).parents[2]
EXTRAS = "festival[analysis,notebooks]"
# This interpreter's: which packages another one needs, pip can only guess.
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
PLATFORMS = (
    "manylinux_2_28_x86_64",
    "manylinux_2_17_x86_64",
    "manylinux2014_x86_64",
    "linux_x86_64",
)
LAST_LINES = 3


def make_archive(out: Path) -> Path:
    """Collect the wheels with pip, a minute or two, and write the archive to `out`.

    Versions are those of `constraints.txt`. Raises FestivalError if pip cannot get one of them.
    """
    with tempfile.TemporaryDirectory() as folder:
        wheels, sources = Path(folder, "wheels"), Path(folder, "sources")
        _copy_sources(sources)
        for command in pip_commands(sources, wheels):
            _pip(command)
        return build_archive(out, wheels)


def build_archive(out: Path, wheels: Path) -> Path:
    """Write the archive of this repository's notebooks and the wheels of a folder to `out`.

    The same content gives the same bytes. Raises FestivalError if `out` cannot be written.
    """
    notebooks = sorted((REPOSITORY / "notebooks").glob("*.ipynb"))
    files = {f"notebooks/{path.name}": path for path in notebooks}
    files |= {f"wheels/{path.name}": path for path in sorted(wheels.glob("*.whl"))}
    return write_archive(out, files)


def pip_commands(sources: Path, wheels: Path) -> tuple[Sequence[str], Sequence[str]]:
    """The arguments of pip: for the kit's own wheel, then for what it needs, on Linux x86-64."""
    own = ("wheel", "--no-deps", "--wheel-dir", str(wheels), str(sources))
    needed = (
        *("download", "--only-binary=:all:", "--python-version", PYTHON),
        *(part for platform in PLATFORMS for part in ("--platform", platform)),
        *("--constraint", str(REPOSITORY / "constraints.txt")),
        *("--find-links", str(wheels), "--dest", str(wheels), EXTRAS),
    )
    return own, needed


def _copy_sources(to: Path) -> None:
    """A wheel built in the repository itself would include what an earlier build left there."""
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
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--quiet", *command],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        last = " | ".join(done.stderr.strip().splitlines()[-LAST_LINES:])
        raise FestivalError(f"pip {command[0]} cannot get the wheels of the kit: {last}")
