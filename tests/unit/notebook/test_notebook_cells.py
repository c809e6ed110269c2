"""What a notebook needs around its questions."""

import math

import pytest
from botocore.exceptions import (
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
)

from festival.errors import FestivalError
from festival.notebook.cells import locate, sentence
from festival.notebook.tables import decimal


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (1.0, "1.00"),
        (13.2807, "13.28"),
        (300_000.4, "300,000"),
        (0.5, "0.5"),
        (0.00001666667, "0.00001667"),
        (0.99999999, "1"),
        (-0.0625, "-0.0625"),
        (math.nan, "nan"),
    ],
)
def test_figures_are_written_as_people_read_them(value, text):
    assert decimal(value) == text


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (FestivalError("table x is not there"), "table x is not there"),
        (NoCredentialsError(), "no AWS credentials found"),
        (NoRegionError(), "no AWS region set"),
        (EndpointConnectionError(endpoint_url="http://127.0.0.1:9"), "at http://127.0.0.1:9"),
        (
            ClientError({"Error": {"Code": "AccessDenied", "Message": "no\nway"}}, "ListObjectsV2"),
            "AWS refuses ListObjectsV2: AccessDenied",
        ),
    ],
)
def test_a_mistake_is_one_sentence(error, said):
    assert said in sentence(error)
    assert "\n" not in sentence(error)


def test_a_file_is_found_here_and_in_the_folder_above(tmp_path, monkeypatch):
    (tmp_path / "lineup.csv").touch()
    (tmp_path / "notebooks").mkdir()
    monkeypatch.chdir(tmp_path)
    assert locate("lineup.csv") == "lineup.csv"
    monkeypatch.chdir(tmp_path / "notebooks")
    assert locate("lineup.csv").replace("\\", "/") == "../lineup.csv"
    assert locate("s3://bucket/x") == "s3://bucket/x"
    with pytest.raises(FestivalError, match="nowhere is not there"):
        locate("nowhere")
    with pytest.raises(FestivalError, match="source is empty"):
        locate("")
