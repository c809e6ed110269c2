"""`import festival`: a small surface that loads nothing before it is used."""

import subprocess
import sys

import pytest

import festival


def loaded_by(statement):
    done = subprocess.run(
        [sys.executable, "-c", f"{statement}\nimport sys\nprint(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


def test_importing_the_package_loads_nothing_of_it():
    loaded = loaded_by("import festival") - loaded_by("import importlib, typing")
    assert loaded == {"festival"}


def test_importing_the_handler_loads_no_pandas_and_no_room_below_the_zip():
    loaded = loaded_by("import festival.ingest.handler")
    assert not loaded & {"pandas", "numpy", "boto3", "click"}
    rooms = {name.split(".")[1] for name in loaded if name.startswith("festival.")}
    assert not rooms & {"query", "inspection", "analysis", "stack", "kit", "notebook", "cli"}


def test_tab_completion_shows_the_surface_and_nothing_else():
    assert dir(festival) == sorted(festival.__all__)


@pytest.mark.parametrize("name", festival.__all__)
def test_every_name_of_the_surface_is_there_and_documented(name):
    assert getattr(festival, name).__doc__


def test_another_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'conect'"):
        festival.conect  # noqa: B018
