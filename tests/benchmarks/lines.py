"""The lines of the benchmark: the same work in several ways, and the ratios between them."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.benchmarks.cold_start import STARTS_OF, start, unpacked
from tests.benchmarks.lineups import SHAPES, lineup_file
from tests.benchmarks.run import (
    CORES,
    FREE,
    ROOT,
    Figures,
    Result,
    run,
    side_by_side,
    stand_in,
)

Found = Mapping[tuple[str, str], Figures]

# The call that each contender makes, as a user would write it.
CALLS = {
    "write_batch_writer": "Table.batch_writer",
    "write_awswrangler": "wr.dynamodb.put_df",
    "write_festival": "BulkWriter",
    "read_query": "Table.query",
    "read_awswrangler": "wr.dynamodb.read_items",
    "read_festival": "table.popular(above=0)",
    "parse_dict_reader": "csv.DictReader",
    "parse_normalize": "festival normalize",
    "check_festival": "festival check",
    "ingest_festival": "festival ingest",
    "handle_festival": "the handler",
    "notebook_script": "its cells as a script",
    "notebook_papermill": "festival run",
    "start_boto3": "import boto3, boto3.client",
    "start_zip": "the zip's handler",
    "start_sources": "the zip's handler, without bytecode",
}
STARTS = 3  # as many cold starts for each run of the others
MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Plan:
    """How much is measured, and where.

    `wrangler` is a Python that has awswrangler, `runtime` one of the function's version that has
    boto3; '' where there is none.
    """

    rows: int
    times: int
    folder: Path
    wrangler: str
    runtime: str

    def ways(self, *contenders: str) -> list[str]:
        return [name for name in contenders if self.wrangler or "awswrangler" not in name]

    def side_by_side(self, ways: Sequence[str], endpoint: str = "", path: Path | str = "") -> Found:
        """Contenders in turn, each in a Python that has what it compares with."""

        def once(way: str, cores: str) -> Figures:
            python = self.wrangler if "awswrangler" in way else sys.executable
            return run(way, endpoint, path, python=python, cores=cores)

        return side_by_side({way: partial(once, way) for way in ways}, times=self.times)


def has_awswrangler(python: str) -> bool:
    command = [python, "-c", "import awswrangler"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, check=False).returncode == 0


def writing(plan: Plan) -> Iterator[Result]:
    """A CSV into a table that answers at once: what a row costs."""
    path = lineup_file(plan.folder, "csv", plan.rows)
    ways = plan.ways("write_batch_writer", "write_awswrangler", "write_festival", "ingest_festival")
    with stand_in() as endpoint:
        found = plan.side_by_side(ways, endpoint, path)
    what, plain = f"write {plan.rows:,} rows, no latency", plan.ways(*ways[:-2])
    for ours, least in (("ingest_festival", 10), ("write_festival", 12)):
        goals = {"write_batch_writer": f"≥ {least}"}
        yield from compared(what, found, ours, plain, rows_per_cpu_second, "rows/CPU s", goals)


def writing_with_latency(plan: Plan) -> Iterator[Result]:
    """The same with 10 ms before each answer: how soon the data is there."""
    path = lineup_file(plan.folder, "csv", plan.rows)
    ways = ["write_batch_writer", "ingest_festival"]
    with stand_in("--latency", "0.01") as endpoint:
        found = plan.side_by_side(ways, endpoint, path)
    what, goals = f"write {plan.rows:,} rows, 10 ms latency", {"write_batch_writer": "≥ 15"}
    yield from compared(what, found, ways[-1], ways[:-1], rows_per_second, "rows/s", goals)


def reading(plan: Plan) -> Iterator[Result]:
    """A Query into a DataFrame, from importing the library to the last row."""
    ways = plan.ways("read_query", "read_awswrangler", "read_festival")
    with stand_in("--items", str(plan.rows)) as endpoint:
        found = plan.side_by_side(ways, endpoint)
    what, goals = f"Query of {plan.rows:,} items to a DataFrame", {"read_awswrangler": "≥ 5"}
    yield from compared(what, found, ways[-1], ways[:-1], rows_per_cpu_second, "items/CPU s", goals)


def parsing(plan: Plan) -> Iterator[Result]:
    """A CSV read, checked and written as JSON Lines, next to reading it alone."""
    path = lineup_file(plan.folder, "csv", plan.rows * 5)
    ways = ["parse_dict_reader", "parse_normalize"]
    found = plan.side_by_side(ways, "", path)
    what, goals = f"read and normalise {plan.rows * 5:,} rows", {"parse_dict_reader": "≥ 0.25"}
    yield from compared(what, found, ways[-1], ways[:-1], rows_per_second, "rows/s", goals)


def rows_per_cpu_second(figures: Figures) -> float:
    return figures.rows / figures.cpu


def rows_per_second(figures: Figures) -> float:
    return figures.rows / figures.wall


def cpu_milliseconds(figures: Figures) -> float:
    return 1000 * figures.cpu


def compared(
    what: str,
    found: Found,
    ours: str,
    plain: Sequence[str],
    measure: Callable[[Figures], float],
    unit: str,
    goals: Mapping[str, str],
) -> Iterator[Result]:
    """Each plain way's figure, then ours against each of them; on all cores, then on one."""
    for cores in CORES:
        best = measure(found[ours, cores])
        for way in plain:
            yield Result(what, cores, CALLS[way], measure(found[way, cores]), unit)
        for way in plain:
            ratio = best / measure(found[way, cores])
            against, goal = CALLS[way], goals.get(way, "")
            yield Result(what, cores, CALLS[ours], best, unit, against, ratio, goal)


def memory(plan: Plan) -> Iterator[Result]:
    """The peak at a tenth of the rows and at ten times as many, for each shape of file."""
    few, many = max(plan.rows // 10, 1), plan.rows * 10
    with stand_in() as endpoint:
        for way in ("check_festival", "ingest_festival"):
            for shape in SHAPES:
                paths = [lineup_file(plan.folder, shape, rows) for rows in (few, many)]
                found = [run(way, endpoint, path) for path in paths]
                yield from grown(f"memory of {CALLS[way]}, {shape}", few, many, found)
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
    peak, further = f"peak at {few:,} rows", f"each further row, to {many:,}"
    yield Result(what, FREE, peak, small / MEGABYTE, "MB", goal="≤ 100")
    growth = max(0.0, (large - small) / (many - few))
    yield Result(what, FREE, further, growth, "bytes", goal="≤ 64")


def cold_start(plan: Plan) -> Iterator[Result]:
    """The unpacked zip, read-only, by the function's Python: imports and three clients."""
    if not plan.runtime:
        print("  left out: no Python of the function's version (--runtime names one)")
        return
    with unpacked(plan.folder, plan.runtime) as folders:
        runs = {way: partial(start, plan.runtime, way, folders) for way in STARTS_OF}
        found = side_by_side(runs, times=STARTS * plan.times)
    for ours, goal in (("start_zip", "≤ 1.0"), ("start_sources", "≤ 1.0")):
        yield from compared(
            "cold start: imports and three clients",
            found,
            ours,
            ["start_boto3"],
            cpu_milliseconds,
            "CPU ms",
            {"start_boto3": goal},
        )


def notebook(plan: Plan) -> Iterator[Result]:
    """What papermill, the kernel and the report add to a notebook's own work."""
    path = ROOT / "notebooks" / "validate.ipynb"
    ways = ["notebook_script", "notebook_papermill"]
    found = plan.side_by_side(ways, "", path)
    yield from compared(
        "notebook validate.ipynb", found, ways[-1], ways[:-1], lambda figures: figures.wall, "s", {}
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
        yield Result(what, FREE, "the notebook, twice", files / figures["seconds"], "files/s")
        yield Result(what, FREE, "peak", figures["peak MB of the notebook"], "MB", goal="≤ 300")


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
