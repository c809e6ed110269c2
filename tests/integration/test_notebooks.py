"""Every notebook, run by papermill against the embedded AWS as a scheduler would run it."""

import re
from pathlib import Path

import nbformat
import papermill
import pytest

from festival.embedded.aws import EmbeddedAws
from festival.errors import FestivalError
from festival.notebook.run import find_notebook, run_notebook
from festival.stack.dead_letters import queue_depth

ROOT = Path(__file__).parents[2]
# What a browser would fetch from elsewhere; a link that a reader may follow is none of these.
FETCHED = re.compile(
    r"<(script|link|img|iframe)\b[^>]*\b(src|href)=[\"'](?!data:)|@import|import\("
)


class World:
    """An embedded AWS with three lineups in its upload bucket, one of them no lineup at all."""

    def __init__(self, aws, folder):
        self.aws = aws
        self.folder = folder
        self.outputs = aws.deploy()
        self.s3 = aws.session().client("s3")
        for name in ("sample.csv", "messy.csv"):
            self.s3.upload_file(str(ROOT / "sample" / name), self.outputs.upload_bucket, name)
        self.s3.put_object(Bucket=self.outputs.upload_bucket, Key="empty.csv", Body=b"")

    def run(self, name, **given):
        """The executed notebook and its HTML report."""
        out = self.folder / f"{name}-{len(list(self.folder.iterdir()))}.ipynb"
        pairs = [(key, str(value)) for key, value in given.items()]
        run = run_notebook(find_notebook(name), pairs, str(out), progress=False)
        return Executed(run.executed, Path(run.report).read_text(encoding="utf-8"))

    def fails(self, name, **given):
        """What is said of a run that fails, and the executed notebook."""
        with pytest.raises(FestivalError) as caught:
            self.run(name, **given)
        (place,) = re.findall(r"\(see (.*\.ipynb)\)$", str(caught.value))
        return str(caught.value), Executed(place, "")


class Executed:
    """An executed notebook; whatever ran wrote no warning."""

    def __init__(self, path, html):
        self.html = html
        self.cells = {cell.id: cell for cell in nbformat.read(path, as_version=4).cells}
        for cell in self.cells.values():
            for output in cell.get("outputs", []):
                assert output.get("name") != "stderr", output.text

    def text(self, cell):
        """Everything that a cell put out, as text."""
        outputs = self.cells[cell].outputs
        return "\n".join(
            str(output.get("text") or output.get("data", {}).get("text/plain") or "")
            for output in outputs
        )

    def pictures(self, cell):
        return sum("image/svg+xml" in output.get("data", {}) for output in self.cells[cell].outputs)

    def days(self, cell):
        """How many days a timeline shows."""
        html = [output.get("data", {}).get("text/html", "") for output in self.cells[cell].outputs]
        return "".join(html).count("<section")

    @property
    def errors(self):
        return [
            output
            for cell in self.cells.values()
            for output in cell.get("outputs", [])
            if output.output_type == "error"
        ]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch, EmbeddedAws() as aws:
        patch.chdir(ROOT)
        yield World(aws, tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def backfilled(world):
    """The bucket's files in the table, by the backfill notebook; the executed notebook in S3."""
    place = f"s3://{world.outputs.reports_bucket}/runs/backfill.ipynb"
    run = run_notebook(find_notebook("backfill"), [("dry_run", "no")], place, progress=False)
    executed = world.folder / "backfill.ipynb"
    world.s3.download_file(world.outputs.reports_bucket, "runs/backfill.ipynb", str(executed))
    html = world.s3.get_object(Bucket=world.outputs.reports_bucket, Key="runs/backfill.html")
    assert run.report.endswith("runs/backfill.html")
    return Executed(str(executed), html["Body"].read().decode())


def test_a_backfill_plans_runs_and_reports_each_file(backfilled):
    assert backfilled.text("plan").startswith("3 of 3 files to ingest")
    assert backfilled.text("engine").startswith("DirectEngine: 3 files with about")
    assert backfilled.text("run").startswith("3 of 3 files, 84 rows")
    reports = backfilled.text("reports")
    for status in ("success", "partial", "failure"):
        assert status in reports
    assert "the file is empty" in backfilled.html


def test_a_backfill_sends_one_email_for_all_its_files(world, backfilled):
    (email,) = world.aws.emails()
    assert email.subject == "FAILURE: backfill of 3 files - 70 rows written, 1 file failed"
    assert email.subject in backfilled.text("tell")


def everything(world):
    """What a run could change: table, ledger, queues and e-mails."""
    session, outputs = world.aws.session(), world.outputs
    dynamodb, sqs = session.client("dynamodb"), session.client("sqs")
    scanned = [
        sorted(map(str, dynamodb.scan(TableName=name)["Items"]))
        for name in (outputs.table, outputs.ledger_table)
    ]
    queues = (outputs.queue_url, outputs.dead_letter_queue_url)
    return scanned, [queue_depth(sqs, url) for url in queues], world.aws.emails()


@pytest.mark.parametrize("engine", ["direct", "queue"])
def test_a_dry_backfill_changes_nothing_in_table_ledger_queues_and_emails(
    world, backfilled, engine
):
    before = everything(world)
    executed = world.run("backfill", again="yes", engine=engine)
    assert executed.text("plan").startswith("3 of 3 files to ingest")
    assert everything(world) == before
    assert all(before[0])


def test_a_query_shows_frames_pictures_and_the_price_of_a_scan(world, backfilled):
    executed = world.run("query", performer="Solar Anorak", date="2025-07-12", time="22:30")
    assert executed.text("short").startswith("70 performances of 68 performers on 5 stages, Thu")
    assert "105" in executed.text("performer")
    assert "Solar Anorak" in executed.text("moment")
    assert "Empty DataFrame" in executed.text("exact")
    assert "Vantablack Disco" in executed.text("clashes")
    assert "a Scan of the whole table reads about" in executed.text("scan")
    assert executed.days("days") == 4
    assert executed.pictures("stages-picture") == executed.pictures("hours") == 1
    assert not executed.errors


def test_without_parameters_it_looks_at_the_last_festival_and_its_most_popular(world, backfilled):
    executed = world.run("query")
    assert "Megan Thee Stallion" in executed.text("performer")
    assert "Megan Thee Stallion" in executed.text("moment")
    assert not executed.errors


def test_a_table_that_is_not_there_is_one_sentence_and_fails_the_run(world):
    said, executed = world.fails("query", table="nowhere")
    assert said.startswith(
        "query.ipynb failed in cell 4 (What is on, where and when?): the table nowhere does not"
    )
    (error,) = executed.errors
    assert len("".join(error.traceback).splitlines()) == 1


def test_validate_in_strict_mode_fails_the_run_after_it_has_shown_everything(world):
    place = f"s3://{world.outputs.upload_bucket}/messy"
    said, executed = world.fails("validate", source=place, strict="yes")
    assert re.search(r"cell \d+ \(Conclusion\): strict: 13 rows rejected in 1 of 1 file", said)
    assert "date_order" in executed.text("questions")
    assert "Unclosed Umbrella" in executed.text("rejections")
    assert "Lantern Parade" in executed.text("duplicates")
    assert "zero length" in executed.text("findings-all")
    assert executed.days("pictures") == 1


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("backfill", {"files_at_once": 0}, "parameter files_at_once is 0: expected 1 to 64"),
        ("backfill", {"dry_run": "maybe"}, "parameter dry_run is 'maybe': expected true or false"),
        (
            "backfill",
            {"on_error": "panic"},
            "parameter on_error is 'panic': expected continue, stop",
        ),
        (
            "backfill",
            {"dryrun": False},
            "the notebook has no parameter 'dryrun': did you mean dry_run?",
        ),
        ("cost_model", {"months": 0}, "parameter months is 0: expected 1 to 1,200"),
        (
            "cost_model",
            {"rows_per_day": -5},
            "parameter rows_per_day is -5: expected 0 to 1,000,000,000",
        ),
    ],
)
def test_plain_papermill_with_a_wrong_parameter_fails_in_one_line(world, name, given, said):
    out = str(world.folder / "plain.ipynb")
    with pytest.raises(papermill.PapermillExecutionError) as failed:
        papermill.execute_notebook(str(find_notebook(name)), out, given, progress_bar=False)
    assert failed.value.evalue == said


def test_the_text_false_of_plain_papermill_is_false(world):
    out = str(world.folder / "plain.ipynb")
    papermill.execute_notebook(
        str(find_notebook("validate")),
        out,
        {"source": str(ROOT / "sample" / "messy.csv"), "strict": "false"},
        progress_bar=False,
    )


def test_the_cost_model_runs_with_other_parameters(world):
    executed = world.run(
        "cost_model", region="eu-west-1", rows_per_day=250_000, months=3, memory=1024
    )
    assert "Prices of eu-west-1 as of" in executed.text("prices-said")
    assert "Month 3 costs $" in executed.text("model")
    assert "250,000 rows: " in executed.text("model")
    for picture in ("picture", "time-picture", "partitions"):
        assert executed.pictures(picture) == 1


def test_a_new_version_of_a_file_is_compared_and_reconciled(world, backfilled):
    lineup = (ROOT / "sample" / "sample.csv").read_text(encoding="utf-8")
    changed = lineup.replace("Northern Line,Main Stage,2025-07-13,20:00,21:30,94\n", "")
    changed = changed.replace("2025-07-11,10:00pm,11:00pm,72", "2025-07-11,10:30pm,11:00pm,72")
    world.s3.put_object(Bucket=world.outputs.upload_bucket, Key="sample.csv", Body=changed.encode())
    world.aws.drain()
    before = everything(world)
    dry = world.run("reconcile")
    assert "Northern Line" in dry.text("changes")
    assert everything(world) == before
    executed = world.run("reconcile", dry_run="no")
    assert "Northern Line" in executed.text("changes")
    assert executed.pictures("pictures") == 1
    assert executed.text("look").startswith("1 file: 1 moved, 1 cancelled; 2 items left by older")
    assert executed.text("conclude").startswith("Items left by older versions: 2; removed: 2")


def test_a_report_opens_without_a_network(backfilled, world):
    assert backfilled.html.count("<html") == 1
    assert not FETCHED.search(backfilled.html)
    assert "<script" not in backfilled.html


def test_wrong_parameters_are_refused_before_anything_runs(world):
    before = list(world.folder.iterdir())
    with pytest.raises(FestivalError, match="has no parameter 'perfomer': did you mean"):
        world.run("query", perfomer="Björk")
    with pytest.raises(FestivalError, match="parameter months is 'few': expected a whole number"):
        world.run("cost_model", months="few")
    assert list(world.folder.iterdir()) == before


def test_a_notebook_that_is_not_there_is_named_beside_those_that_are(world):
    with pytest.raises(FestivalError, match="no notebook 'queries': notebooks/ has backfill, cost"):
        find_notebook("queries")
