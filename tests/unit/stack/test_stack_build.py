"""The function's zip."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from festival.errors import FestivalError
from festival.stack import build
from festival.stack.build import build_zip, content_key
from festival.stack.stack import read_template
from festival.stack.template import parse_template


def test_the_same_sources_give_the_same_bytes(tmp_path: Path):
    first = build_zip(tmp_path / "monday.zip").read_bytes()
    assert build_zip(tmp_path / "tuesday.zip").read_bytes() == first


def test_the_zip_knows_no_clock_no_machine_and_no_compression(tmp_path: Path):
    with zipfile.ZipFile(build_zip(tmp_path / "function.zip")) as archive:
        entries = archive.infolist()
    assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}
    assert {entry.create_system for entry in entries} == {3}
    assert {entry.external_attr >> 16 for entry in entries} == {0o100644}
    assert {entry.compress_type for entry in entries} == {zipfile.ZIP_STORED}


def test_the_zip_holds_the_first_rooms_of_the_house_and_nothing_else(tmp_path: Path):
    with zipfile.ZipFile(build_zip(tmp_path / "function.zip")) as archive:
        names = archive.namelist()
    assert {name.split("/")[1] for name in names} == {
        "__init__.py",
        "errors.py",
        "text.py",
        "threads.py",
        "lineup",
        "table",
        "ingest",
    }
    assert all(name.startswith("festival/") and name.endswith((".py", ".pyc")) for name in names)
    assert len(names) == len(set(names))


def test_built_with_the_functions_python_it_has_bytecode_that_is_used_unchecked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Each source is changed after unpacking: what runs is the bytecode."""
    monkeypatch.setattr(build, "RUNTIME", sys.version_info[:2])
    first, second = build_zip(tmp_path / "monday.zip"), build_zip(tmp_path / "tuesday.zip")
    assert first.read_bytes() == second.read_bytes()
    with zipfile.ZipFile(first) as archive:
        archive.extractall(tmp_path)
    for source in (tmp_path / "festival").rglob("*.py"):
        source.write_text("raise SystemExit(__name__)", encoding="utf-8")
    loading = "import festival.ingest.handler as handler; print(handler.__cached__)"
    done = subprocess.run(
        [sys.executable, "-B", "-c", loading],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().endswith(f"handler.{sys.implementation.cache_tag}.pyc")


def test_built_with_any_other_python_it_has_sources_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(build, "RUNTIME", (3, 99))
    with zipfile.ZipFile(build_zip(tmp_path / "function.zip")) as archive:
        assert [name for name in archive.namelist() if not name.endswith(".py")] == []


def test_the_runtime_that_gets_bytecode_is_the_templates():
    function = parse_template(read_template())["Resources"]["IngestFunction"]["Properties"]
    assert function["Runtime"] == "python{}.{}".format(*build.RUNTIME)


def test_new_content_has_a_new_key_and_old_content_its_old_one(tmp_path: Path):
    one, same, other = (tmp_path / name for name in ("one", "same", "other"))
    one.write_bytes(b"set list")
    same.write_bytes(b"set list")
    other.write_bytes(b"encore")
    assert content_key(one) == content_key(same) != content_key(other)
    assert content_key(one).startswith("lambda/") and content_key(one).endswith(".zip")


@pytest.mark.skipif(os.name == "nt", reason="directories are told apart in another way there")
def test_a_zip_that_cannot_be_written_is_said_in_one_line(tmp_path: Path):
    with pytest.raises(FestivalError, match="cannot be built") as told:
        build_zip(tmp_path)
    assert "\n" not in str(told.value)
