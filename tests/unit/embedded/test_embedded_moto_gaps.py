"""The corrections of moto know what they correct."""

import importlib
import re
from importlib.metadata import version
from pathlib import Path

import pytest
from moto.cloudformation import parsing
from moto.cloudformation.models import ChangeSet, CloudFormationBackend
from moto.cloudformation.parsing import ResourceMap
from moto.cloudformation.responses import CloudFormationResponse
from moto.s3 import notifications
from moto.s3.models import S3Backend

from festival.embedded import moto_gaps
from festival.errors import FestivalError

PARTS = [
    (notifications, "_get_s3_event"),
    (S3Backend, "delete_object"),
    (parsing, "clean_json"),
    (ResourceMap, "build_resource_diff"),
    (parsing, "parse_and_update_resource"),
    (ChangeSet, "diff"),
    (ChangeSet, "apply"),
    (parsing, "parse_and_create_resource"),
    (CloudFormationBackend, "create_stack"),
    (CloudFormationBackend, "execute_change_set"),
    (CloudFormationResponse, "create_change_set"),
]


@pytest.fixture
def reloaded():
    """What `moto_gaps` does when it is imported; afterwards it is as before."""
    kept = dict(vars(moto_gaps))
    yield lambda: importlib.reload(moto_gaps)
    vars(moto_gaps).update(kept)


@pytest.mark.parametrize(("owner", "name"), PARTS, ids=lambda part: getattr(part, "__name__", part))
def test_a_part_that_has_gone_or_takes_something_else_is_named(owner, name, reloaded, monkeypatch):
    said = re.escape(f"{owner.__name__}.{name} of moto {moto_gaps.MADE_FOR}")
    with monkeypatch.context() as changed:
        changed.setattr(owner, name, lambda something, quite, different: None)
        with pytest.raises(FestivalError, match=said):
            reloaded()
    with monkeypatch.context() as gone:
        gone.delattr(owner, name)
        with pytest.raises(FestivalError, match=said):
            reloaded()


def test_every_part_that_is_corrected_is_checked():
    source = Path(moto_gaps.__file__).read_text(encoding="utf-8")
    corrected = re.findall(r"mock\.patch\.object\(\s*(\w+), \"(\w+)\"", source.split("yield")[0])
    assert sorted(name for _, name in corrected) == sorted(name for _, name in PARTS)


def test_the_version_it_was_made_for_is_the_one_that_is_pinned():
    pinned = (Path(__file__).parents[3] / "constraints.txt").read_text(encoding="utf-8")
    assert f"moto=={moto_gaps.MADE_FOR}\n" in pinned
    assert version("moto") == moto_gaps.MADE_FOR
