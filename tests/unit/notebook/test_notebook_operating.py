"""The notebooks that write: each parameter reaches what it is about, and a dry run only looks."""

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pandas as pd
import pytest

from festival.backfill import plan, run
from festival.backfill.plan import ListedFile, Selection
from festival.ingest.ledger.records import Status, VersionRecord
from festival.notebook import cells

NOTEBOOKS = Path(__file__).parents[3] / "notebooks"
DAY_1 = ListedFile("day 1.csv", "v1", 600, datetime(2025, 7, 11, 12, tzinfo=UTC))
DONE = VersionRecord("uploads/day 1.csv", "v1", Status.NOTIFIED)


def execute(name, given):
    """Every code cell of a notebook, with these parameters, as papermill would give them."""
    notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
    first, *others = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    namespace = {"display": print}
    exec(first, namespace)
    assert given.keys() <= namespace.keys()
    namespace.update(given)
    for source in others:
        exec(source, namespace)
    return namespace


@pytest.fixture(autouse=True)
def tables_as_before():
    names = "display.max_colwidth", "display.max_rows", "display.float_format"
    with pd.option_context(*(each for name in names for each in (name, pd.get_option(name)))):
        yield


def ingestor(table):
    resources = SimpleNamespace(s3="S3", ledger="the ledger", mapping="the stack's mapping")
    return SimpleNamespace(table=table, resources=resources)


KIT = SimpleNamespace(
    outputs=SimpleNamespace(upload_bucket="uploads"),
    clients=SimpleNamespace(s3="S3"),
    session=SimpleNamespace(region_name="us-east-1"),
    mailer="the mailer",
    table_name=lambda named: named or "lineup",
    ingestor=ingestor,
    reconciler=lambda: "the reconciler",
)


class TestBackfill:
    @pytest.fixture
    def backfill(self, monkeypatch):
        """Runs the notebook on one finished file; returns what its calls were asked for."""

        def noting(name, answer):
            def call(*given, **options):
                calls[name] = (given, options)
                return answer

            return call

        calls = {}
        monkeypatch.setattr(cells, "Kit", SimpleNamespace(from_environment=lambda: KIT))
        monkeypatch.setattr(plan, "list_files", noting("list", [DAY_1]))
        monkeypatch.setattr(plan, "look_up", noting("look up", [(DAY_1, DONE)]))
        monkeypatch.setattr(run, "pick_engine", noting("pick", ("the engine", "as asked for")))
        monkeypatch.setattr(run, "run_backfill", noting("run", []))
        monkeypatch.setattr(run, "notify", noting("tell", "One e-mail was sent."))

        def executed(**given):
            return execute("backfill", given), calls

        return executed

    def test_a_dry_run_plans_and_neither_ingests_nor_mails(self, backfill, capsys):
        notebook, calls = backfill()
        assert calls["list"][0] == ("S3", Selection("uploads"))
        assert notebook["ingestor"].table == "lineup"
        assert [file.ingest for file in notebook["todo"].files] == [False]
        assert set(calls) == {"list", "look up", "pick"}
        assert "A dry run: nothing was changed." in capsys.readouterr().out

    def test_each_parameter_reaches_what_it_is_about(self, backfill):
        notebook, calls = backfill(
            bucket="archive",
            prefix="2025/",
            since="2025-07-11",
            until="2025-07-12",
            glob="*.csv",
            table="winter",
            dry_run=False,
            on_error="stop",
            again=True,
            engine="direct",
            files_at_once=7,
        )
        selection = Selection("archive", "2025/", "2025-07-11", "2025-07-12", "*.csv")
        assert calls["list"][0] == ("S3", selection)
        assert calls["look up"] == (
            ("the ledger", "archive", [DAY_1]),
            {"s3": "S3", "mapping": "the stack's mapping"},
        )
        todo, its_ingestor = notebook["todo"], notebook["ingestor"]
        assert (todo.bucket, [file.ingest for file in todo.files]) == ("archive", [True])
        assert its_ingestor.table == "winter"
        assert calls["pick"] == (
            ("direct", todo, its_ingestor, KIT.clients, KIT.outputs),
            {"table": "winter", "files_at_once": 7, "stop_at_failure": True},
        )
        (planned, by, name), options = calls["run"]
        assert (planned, by) == (todo, its_ingestor)
        assert options == {"engine": "the engine", "again": True, "on_error": "stop"}
        assert calls["tell"] == (("the mailer", todo, [], name), {})


class TestReconcile:
    @pytest.mark.parametrize("file", ["", "s3://uploads/day 1.csv"])
    @pytest.mark.parametrize("dry_run", [True, False])
    def test_it_looks_at_what_is_named_and_removes_only_if_it_is_no_dry_run(
        self, monkeypatch, file, dry_run
    ):
        calls = []

        def reconcile_files(reconciler, name=None, *, remove=False, say):
            assert reconciler == "the reconciler"
            calls.append((name, remove))
            return iter(())

        monkeypatch.setattr(cells, "Kit", SimpleNamespace(from_environment=lambda: KIT))
        monkeypatch.setattr(cells, "reconcile_files", reconcile_files)
        execute("reconcile", {"file": file, "dry_run": dry_run})
        named = file or None
        assert calls == [(named, False)] + ([] if dry_run else [(named, True)])
