"""The library and `festival list`, on what the samples put into an embedded AWS."""

import json
import re
from pathlib import Path

import pandas as pd
import pytest

import festival
from festival.cli.main import run
from festival.embedded.aws import EmbeddedAws
from festival.embedded.demo import SAMPLES, drop

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def stack():
    with EmbeddedAws() as aws:
        outputs = aws.deploy()
        drop(aws, outputs, SAMPLES / "sample.csv")
        yield aws, outputs


@pytest.fixture
def table(stack):
    return festival.connect()


def test_the_lines_of_the_readme_run(stack, monkeypatch, tmp_path):
    (tmp_path / "sample").symlink_to(SAMPLES)
    monkeypatch.chdir(tmp_path)
    names = {}
    for block in re.findall(r"```python\n(.*?)```", README, re.DOTALL):
        exec(block, names)
    assert len(names["weekend"]) == 60
    assert (tmp_path / "weekend.pdf").exists()


def test_the_table_has_the_lineup_that_was_dropped(table):
    lineup = festival.read(str(SAMPLES / "sample.csv")).performances
    order = ["Start", "Stage"]
    answer = table.lineup("2025-07-11", "2025-07-13").sort_values(order, ignore_index=True)
    pd.testing.assert_frame_equal(answer, lineup.sort_values(order, ignore_index=True))
    assert festival.compare(lineup, answer).empty


def test_everything_is_the_lineup_too(table):
    assert len(table.everything(progress=False)) == 60


def test_what_ingests_recorded_is_what_a_scan_finds(table):
    for recorded, scanned in (
        (table.dates(), table.dates(scan=True)),
        (table.stages(), table.stages(scan=True)),
        (table.performers(), table.performers(scan=True)),
    ):
        pd.testing.assert_frame_equal(recorded, scanned)


def test_a_new_version_is_seen_at_once_and_the_old_items_until_they_are_reconciled(stack, table):
    aws, outputs = stack
    head = "Performer,Stage,Date,Start,End\n"
    s3 = aws.session().client("s3")
    for text in (
        "Sigur Rós,Ice,2025-08-01,20:00,21:00\n",
        "Sigur Rós,Ice,2025-08-02,20:00,21:00\n",
    ):
        s3.put_object(Bucket=outputs.upload_bucket, Key="ice.csv", Body=(head + text).encode())
        aws.drain()
        table.stages()
    assert list(table.performers("sigur ros")["Performances"]) == [2]
    assert run(["reconcile", f"s3://{outputs.upload_bucket}/ice.csv", "--yes"]) == 0
    assert list(table.performers("sigur ros")["Performances"]) == [1]


def test_another_table_than_the_stacks_says_what_to_do(stack):
    with pytest.raises(festival.FestivalError, match="scan=True"):
        festival.connect("another").dates()


class TestList:
    def test_dates_are_counted(self, stack, capsys):
        assert run(["list", "dates", "--json"]) == 0
        found = {one["date"]: one["performances"] for one in json.loads(capsys.readouterr().out)}
        assert (found["2025-07-11"], found["2025-07-12"], found["2025-07-13"]) == (19, 20, 21)

    def test_performers_are_found_by_a_part_of_their_name(self, stack, capsys):
        assert run(["list", "performers", "MEG"]) == 0
        assert "Megan Thee Stallion" in capsys.readouterr().out

    def test_a_name_that_finds_nobody_gets_the_nearest(self, stack, capsys):
        assert run(["list", "performers", "megan thee stalion"]) == 0
        assert "did you mean 'Megan Thee Stallion'?" in capsys.readouterr().err

    def test_a_question_about_a_misspelt_name_says_so_beside_its_empty_answer(self, stack, capsys):
        assert run(["query", "stage", "main stage", "2025-07-12", "20:15", "--json"]) == 0
        out, err = capsys.readouterr()
        assert (out, err) == (
            "[]\n",
            "no stage 'main stage' in the table; did you mean 'Main Stage'?\n",
        )
