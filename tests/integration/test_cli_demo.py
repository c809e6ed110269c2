"""The demo: what a newcomer sees, and that it turns red when something on the way is wrong."""

import re
from pathlib import Path

import pytest

from festival.cli import demo as told
from festival.cli import main as command
from festival.embedded import demo as work
from festival.query.patterns import by_performer
from festival.stack.deploy import deploy
from festival.table.faults import Response

ROOT = Path(__file__).parents[2]


@pytest.fixture
def festival(capsys):
    def run(*args):
        with pytest.raises(SystemExit) as ended:
            command.main(list(args))
        out, err = capsys.readouterr()
        return ended.value.code, out, err.splitlines()

    return run


def without_seconds(text):
    return [re.sub(r"… [\d.]+ s$", "…", line).rstrip() for line in text.splitlines()]


def test_the_demo_shows_what_the_readme_shows(festival, monkeypatch):
    monkeypatch.setattr(told, "NOTEBOOKS", {"backfill": "what a backfill would do"})
    status, out, err = festival("demo")
    assert (status, err) == (0, [])
    assert out.count("Subject: ") == 3
    assert "60 items in the table" in out
    assert (ROOT / "runs" / "demo" / "backfill.html").stat().st_size > 10_000
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    [shown] = [
        block for block in re.findall(r"```text\n(.*?)```", readme, re.DOTALL) if "▸" in block
    ]
    there = iter(without_seconds(out))
    for line in without_seconds(shown):
        if line.strip(" │") != "…" and "notebooks" not in line and "query.html" not in line:
            assert line in there, f"the demo does not show, in this order: {line}"


def test_the_demo_fails_where_the_template_names_another_handler(festival, monkeypatch, tmp_path):
    template = ROOT / "cloudformation" / "o240-stack.yaml"
    wrong = tmp_path / "o240-stack.yaml"
    text = template.read_text(encoding="utf-8")
    assert "festival.ingest.handler.lambda_handler" in text
    wrong.write_text(text.replace("handler.lambda_handler", "handler.handle"), encoding="utf-8")
    monkeypatch.setattr(
        "festival.embedded.aws.deploy",
        lambda session, deploy_request: deploy(
            session,
            type(deploy_request)(deploy_request.stack, deploy_request.parameters, template=wrong),
        ),
    )
    status, _, err = festival("demo")
    assert status == 2
    assert err[-1].startswith("festival: ") and "handle" in err[-1]


def test_an_answer_that_is_not_in_the_files_fails_the_demo(monkeypatch, sample):
    class Forgetful:
        """A table that has lost a performance."""

        def call(self, operation, body, *, timeout=None):
            return Response(200, b'{"Items":[],"ScannedCount":0}')

    monkeypatch.setattr(
        work,
        "QUESTIONS",
        [work.DemoQuestion(by_performer("1914"), lambda one: one.performer == "1914")],
    )
    with pytest.raises(work.FestivalError, match="'1914': the table answers with 0 performances"):
        list(work.answers(Forgetful(), "lineup", [sample / "sample.csv"]))
