"""The function's cold start, measured on what is deployed: the zip, unpacked where nothing writes.

Lambda runs the function under Python 3.12, from a folder that is read-only. The zip of such a
Python has bytecode in it; that of any other has not, and each start compiles every module.
"""

import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from festival.stack.build import RUNTIME
from tests.benchmarks.run import ROOT, Figures, figures_of

VERSION = "{}.{}".format(*RUNTIME)
_BUILD = "from festival.stack.build import *; build_zip(Path('{}'))"
_BOTO3 = "import boto3\nfor name in ('s3', 'dynamodb', 'sns'): boto3.client(name)"
_ZIP = """
import festival.ingest.handler
from festival.ingest.clients import Clients
clients = Clients.of_environment()
clients.s3, clients.dynamodb, clients.sns
"""
STARTS_OF = {"start_boto3": _BOTO3, "start_zip": _ZIP, "start_sources": _ZIP}
# The peak memory is not looked at here; printing it would need more imports.
_TOLD = """
import time
print('{"rows": 0, "cpu": %f, "wall": %f, "rss": 0}' % (time.process_time(), time.perf_counter()))
"""


@contextmanager
def unpacked(folder: Path, runtime: str) -> Iterator[dict[str, Path]]:
    """The zip with bytecode and without, each unpacked into a folder that is read-only."""
    archive = folder / "function.zip"
    # Not -m: a module of the kit's is imported by any Python from 3.11 on, without being installed.
    subprocess.run([runtime, "-B", "-c", _BUILD.format(archive)], cwd=ROOT, check=True)
    folders = {way: folder / way for way in STARTS_OF}
    for way, place in folders.items():
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        if way != "start_boto3":
            zipfile.ZipFile(archive).extractall(place)
    for cache in list(folders["start_sources"].rglob("__pycache__")):
        shutil.rmtree(cache)
    _set_rights(folders.values(), 0o555)
    try:
        yield folders
    finally:
        _set_rights(folders.values(), 0o755)


def start(runtime: str, way: str, folders: Mapping[str, Path], cores: str) -> Figures:
    """One start in a process of its own, which writes no bytecode."""
    return figures_of([runtime, "-B", "-c", STARTS_OF[way] + _TOLD], folders[way], {}, cores)


def runtime_python(asked: str, place: Path) -> str:
    """A Python of the function's version with boto3: the one asked for, this one, or one made here.

    The last is a virtual environment at `place`, kept for the next time, with the boto3 of
    `constraints.txt`, compiled as an installed package is. '' where there is no such Python.
    """
    made = str(place / "bin" / "python")
    for candidate in (asked, sys.executable, made):
        if candidate and _suits(candidate, "boto3"):
            return candidate
    pyenv = sorted(Path.home().glob(f".pyenv/versions/{VERSION}.*/bin/python"))
    for base in (f"python{VERSION}", *map(str, pyenv)):
        if _suits(base, "venv"):
            subprocess.run([base, "-m", "venv", "--clear", str(place)], check=True)
            install = [made, "-m", "pip", "install", "-q", "-c", str(ROOT / "constraints.txt")]
            subprocess.run([*install, "boto3"], check=True)
            return made
    return ""


def _suits(python: str, module: str) -> bool:
    code = f"import sys, {module}; sys.exit(sys.version_info[:2] != {RUNTIME})"
    try:
        done = subprocess.run([python, "-c", code], capture_output=True, check=False)
    except OSError:
        return False
    return done.returncode == 0


def _set_rights(folders: Iterable[Path], rights: int) -> None:
    for folder in folders:
        for each in [folder, *folder.rglob("*")]:
            if each.is_dir():
                each.chmod(rights)
