"""The lines of the benchmark: the same work in several ways, and the ratios between them."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from tests.benchmarks.lineups import SHAPES, lineup_file
from tests.benchmarks.run import ROOT, Figures, Result, run, side_by_side, stand_in

NAMES = {
    "write_batch_writer": "boto3 Table.batch_writer",
    "write_awswrangler": "awswrangler put_df",
    "write_festival": "festival BulkWriter",
    "read_query": "boto3 Table.query",
    "read_awswrangler": "awswrangler read_items",
    "read_festival": "festival read_columns",
    "parse_dict_reader": "csv.DictReader alone",
    "parse_festival": "festival read_lineup",
    "parse_normalize": "festival normalize",
    "check_festival": "festival check",
    "ingest_festival": "festival ingest",
    "handle_festival": "the handler",
    "start_boto3": "boto3",
    "start_festival": "the handler",
    "notebook_script": "its cells as a script",
    "notebook_papermill": "festival run",
}
PAIRS = 15
MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Plan:
    """How much is measured, and where. `wrangler` is a Python that has awswrangler, or ''."""

    rows: int
    times: int
    folder: Path
    wrangler: str

    def ways(self, *contenders: str) -> list[str]:
        return [name for name in contenders if self.wrangler or "awswrangler" not in name]

    @property
    def pythons(self) -> dict[str, str]:
        return dict.fromkeys(("write_awswrangler", "read_awswrangler"), self.wrangler)


def has_awswrangler(python: str) -> bool:
    command = [python, "-c", "import awswrangler"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, check=False).returncode == 0


def writing(plan: Plan) -> Iterator[Result]:
    """A CSV into a table that answers at once: what a row costs."""
    path = lineup_file(plan.folder, "csv", plan.rows)
    ways = plan.ways("write_batch_writer", "write_awswrangler", "write_festival")
    with stand_in() as endpoint:
        found = side_by_side(ways, endpoint, path, times=plan.times, pythons=plan.pythons)
    yield from compared(
        f"writing {plan.rows:,} rows, no latency",
        found,
        lambda figures: figures.rows_per_cpu_second,
        "rows/CPU s",
        goals={"write_batch_writer": "≥ 7"},
    )


def writing_with_latency(plan: Plan) -> Iterator[Result]:
    """The same with 10 ms before each answer: how soon the data is there."""
    rows = max(plan.rows // 2, 1)
    path = lineup_file(plan.folder, "csv", rows)
    ways = plan.ways("write_batch_writer", "write_awswrangler", "write_festival")
    with stand_in("--latency", "0.01") as endpoint:
        found = side_by_side(ways, endpoint, path, times=plan.times, pythons=plan.pythons)
    yield from compared(
        f"writing {rows:,} rows, 10 ms latency",
        found,
        lambda figures: figures.rows_per_second,
        "rows/s",
        goals={"write_batch_writer": "≥ 12"},
    )


def reading(plan: Plan) -> Iterator[Result]:
    """A Query into a DataFrame."""
    ways = plan.ways("read_query", "read_awswrangler", "read_festival")
    with stand_in("--items", str(plan.rows)) as endpoint:
        found = side_by_side(ways, endpoint, times=plan.times, pythons=plan.pythons)
    yield from compared(
        f"Query of {plan.rows:,} items to a DataFrame",
        found,
        lambda figures: figures.rows_per_cpu_second,
        "items/CPU s",
        goals={"read_awswrangler": "≥ 5"},
    )


def parsing(plan: Plan) -> Iterator[Result]:
    """A CSV read and normalised, next to the standard library's reader alone."""
    path = lineup_file(plan.folder, "csv", plan.rows * 5)
    ways = ["parse_dict_reader", "parse_festival", "parse_normalize"]
    yield from compared(
        f"normalising {plan.rows * 5:,} rows",
        side_by_side(ways, "", path, times=plan.times),
        lambda figures: figures.rows_per_second,
        "rows/s",
        goals={"parse_dict_reader": "≥ 0.25"},
    )


def compared(
    what: str,
    found: dict[str, Figures],
    measure: Callable[[Figures], float],
    unit: str,
    goals: dict[str, str],
) -> Iterator[Result]:
    """Each way's figure; the last way against the ways of others, with the goals for that."""
    *others, ours = found
    for way in others:
        yield Result(what, NAMES[way], measure(found[way]), unit)
    best = measure(found[ours])
    for way in others:
        if not way.endswith("_festival"):
            ratio = best / measure(found[way])
            yield Result(what, NAMES[ours], best, unit, NAMES[way], ratio, goals.get(way, ""))


def memory(plan: Plan) -> Iterator[Result]:
    """The peak at a tenth of the rows and at ten times as many, for each shape of file."""
    few, many = max(plan.rows // 10, 1), plan.rows * 10
    with stand_in() as endpoint:
        for way in ("check_festival", "ingest_festival"):
            for shape in SHAPES:
                paths = [lineup_file(plan.folder, shape, rows) for rows in (few, many)]
                found = [run(way, endpoint, path) for path in paths]
                yield from grown(f"memory of {NAMES[way]}, {shape}", few, many, found)
    yield from handler_memory(plan, few, many)


def handler_memory(plan: Plan, few: int, many: int) -> Iterator[Result]:
    """The same for the function's handler, on the embedded AWS but for the table's writes."""
    try:
        from festival.embedded.aws import EmbeddedAws
    except ImportError as missing:
        print(f"  left out: memory of the handler ({missing})")
        return
    with EmbeddedAws() as aws, stand_in("--upstream", aws.endpoint_url) as endpoint:
        outputs = aws.deploy()
        function = aws.session().client("lambda").get_function(FunctionName=outputs.function)
        s3 = aws.session().client("s3")
        variables = function["Configuration"]["Environment"]["Variables"]
        settings = {name: str(value) for name, value in variables.items()} | aws.environment
        for shape in SHAPES:
            found = []
            for rows in (few, many):
                key = f"lineup-{rows}.{shape}"
                path = lineup_file(plan.folder, shape, rows)
                s3.upload_file(str(path), outputs.upload_bucket, key)
                version = s3.head_object(Bucket=outputs.upload_bucket, Key=key)["VersionId"]
                place = {"BENCH_BUCKET": outputs.upload_bucket, "BENCH_VERSION": version}
                found.append(run("handle_festival", endpoint, key, settings=settings | place))
            yield from grown(f"memory of the handler, {shape}", few, many, found)


def grown(what: str, few: int, many: int, found: list[Figures]) -> Iterator[Result]:
    small, large = (figures.rss for figures in found)
    yield Result(what, f"peak at {few:,} rows", small / MEGABYTE, "MB", goal="≤ 100")
    growth = max(0.0, (large - small) / (many - few))
    yield Result(what, f"each further row, to {many:,}", growth, "bytes", goal="≤ 64")


def cold_start(plan: Plan) -> Iterator[Result]:
    """Imports and clients, in pairs of processes; the first pair warms the disk."""
    ratios, ours, theirs = [], [], []
    for pair in range(PAIRS + 1):
        plain, handler = run("start_boto3"), run("start_festival")
        if pair:
            ratios.append(handler.wall / plain.wall)
            theirs.append(plain.wall)
            ours.append(handler.wall)
    what = f"cold start, {PAIRS} pairs"
    yield Result(what, NAMES["start_boto3"], 1000 * median(theirs), "ms")
    yield Result(
        what,
        NAMES["start_festival"],
        1000 * median(ours),
        "ms",
        NAMES["start_boto3"],
        median(ratios),
        "≤ 1.1",
    )


def notebook(plan: Plan) -> Iterator[Result]:
    """What papermill, the kernel and the report add to a notebook's own work."""
    ways = ["notebook_script", "notebook_papermill"]
    path = ROOT / "notebooks" / "validate.ipynb"
    found = side_by_side(ways, "", path, times=plan.times)
    script, papermill = (found[way].wall for way in ways)
    yield Result("notebook validate.ipynb", NAMES["notebook_script"], script, "s")
    yield Result(
        *("notebook validate.ipynb", NAMES["notebook_papermill"], papermill, "s"),
        *(NAMES["notebook_script"], papermill / script),
    )


def backfill(plan: Plan) -> Iterator[Result]:
    """Many small files by each engine, killed once and resumed, on a stand-in for all of AWS."""
    files = max(20, plan.rows // 50)
    for engine in ("direct", "queue"):
        # A process of its own: the peak is that of its children.
        command = [sys.executable, "-m", "tests.benchmarks.backfill", "--files", str(files)]
        done = subprocess.run(
            [*command, "--engine", engine], capture_output=True, text=True, check=True
        )
        figures = json.loads(done.stdout)
        assert figures["found"] == figures["expected"], figures
        what = f"backfill of {files:,} files, killed once, by {engine}"
        yield Result(what, "the notebook, twice", files / figures["seconds"], "files/s")
        yield Result(what, "peak", figures["peak MB of the notebook"], "MB", goal="≤ 300")


LINES: dict[str, Callable[[Plan], Iterator[Result]]] = {
    "writing": writing,
    "latency": writing_with_latency,
    "reading": reading,
    "parsing": parsing,
    "memory": memory,
    "start": cold_start,
    "notebook": notebook,
    "backfill": backfill,
}


def python_with_awswrangler(asked: str) -> str:
    """The Python that is asked for, else this one, if it has awswrangler; else ''."""
    return next((each for each in (asked, sys.executable) if each and has_awswrangler(each)), "")
