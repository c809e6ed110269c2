"""The rights of people and of the function, derived from the calls that were really made."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from recording import Recorder

from festival.cli.main import run
from festival.embedded.aws import FUNCTION, LAMBDA, PERSON, EmbeddedAws
from festival.stack.stack import read_outputs, read_template
from festival.stack.template import parse_template

pytestmark = pytest.mark.timeout(600)  # one long season, before the first question

RESOURCES = parse_template(read_template())["Resources"]
README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| (analyst|operator|deployer) \| (.+) \| (.+) \|$", re.MULTILINE)

# Allowed without a command or notebook that was seen to need it, and why.
BESIDES = {
    "dynamodb:GetItem": "aws dynamodb get-item, as the README has it",
    "s3:PutObject": "aws s3 cp of a lineup into the upload bucket",
    "logs:FilterLogEvents": "aws logs tail, as the alarms have it",
    "kms:GenerateDataKey": "publishing to a topic under a key of one's own",
    "lambda:GetEventSourceMapping": "verify says why a file is not ingested",
    "kms:Decrypt": "publishing to a topic under a key of one's own",
}

HEADER = "Performer,Stage,Date,Start,End\n"
BJORK, AMIINA = (f"{name},Skógur,2025-07-12,11:00,12:00\n" for name in ("Björk", "Amiina"))
MORNING = f"{HEADER}{BJORK}{AMIINA}Múm,?\n".encode()
EVENING = f"{HEADER}Björk,Skógur,2025-07-12,22:00,23:00\n".encode()


def listed(text: str, entry: str) -> set[str]:
    """The rights of a row of the README: `dynamodb` GetItem, Query · `s3` GetObject."""
    found = set() if "validate" in entry else {"cloudformation:DescribeStacks"}
    for part in text.split(" · "):
        service, _, operations = part.partition(" ")
        found |= {f"{service.strip('`')}:{operation}" for operation in operations.split(", ")}
    return found


LISTED = {
    (who, entry.replace("`", "")): listed(text, entry) for who, entry, text in ROW.findall(README)
}
ENTRIES = {entry: rights for (_, entry), rights in LISTED.items()}


def needed(who: str) -> set[str]:
    return set().union(*(rights for (whose, _), rights in LISTED.items() if whose == who))


class Season:
    """An embedded AWS on which each command is run, and what each has called."""

    def __init__(self, aws: EmbeddedAws, recorder: Recorder, folder: Path) -> None:
        self.aws = aws
        self.recorder = recorder
        self.folder = folder
        self.called: dict[str, set[str]] = {}

    def record(self, entry: str, *arguments: str) -> None:
        with self.recorder.during(PERSON) as actions:
            status = run(list(arguments))
        assert status == 0, f"{entry}: festival {' '.join(arguments)}"
        self.called[entry] = self.called.get(entry, set()) | actions

    def notebook(self, entry: str, name: str, out: str = "", **given: str) -> None:
        pairs = [part for pair in given.items() for part in ("-p", *pair)]
        self.record(entry, "run", name, *pairs, "-o", out or f"{self.folder}/")

    def upload(self, key: str, body: bytes) -> str:
        put = self.s3.put_object(Bucket=self.outputs.upload_bucket, Key=key, Body=body)
        return str(put["VersionId"])

    def go(self) -> None:
        self.deploy()
        self.ingest_and_ask()
        self.reconcile()
        self.bury_and_redrive()
        self.backfill()
        self.verify()
        self.record("festival teardown --delete-data", "teardown", "--yes", "--delete-data")

    def deploy(self) -> None:
        self.record("festival deploy", "deploy", "--yes", "--email", "ops@festival.example")
        self.record("festival deploy", "deploy", "--yes", "-p", "LogLevel", "DEBUG")
        self.outputs = read_outputs(self.aws.session())
        self.s3: Any = self.aws.session().client("s3")
        self.uploads = f"s3://{self.outputs.upload_bucket}/"
        self.runs = f"s3://{self.outputs.reports_bucket}/runs/"

    def ingest_and_ask(self) -> None:
        self.upload("skogur.csv", MORNING)
        self.record("festival ingest s3://", "ingest", f"{self.uploads}skogur.csv")
        self.record(
            "festival ingest --notify", "ingest", f"{self.uploads}skogur.csv", "--again", "--notify"
        )
        self.aws.drain()
        lineup = self.folder / "lineup.csv"
        lineup.write_bytes(MORNING)
        self.record("festival ingest FILE", "ingest", str(lineup))
        for question in (
            ["performer", "Björk"],
            ["date", "2025-07-12"],
            ["stage", "Skógur", "2025-07-12", "20:30"],
            ["popular"],
        ):
            self.record("festival query", "query", *question)
        self.record("festival history", "history")
        self.record("festival history", "history", "skogur.csv")
        self.record("festival status", "status")
        self.record("festival check s3://", "check", f"{self.uploads}skogur.csv")
        self.record(
            "festival inspect s3:// -o s3://",
            *(
                "inspect",
                f"{self.uploads}skogur.csv",
                "-o",
                f"{self.uploads}other.csv.mapping.json",
            ),
        )
        self.notebook("notebook validate, on s3://", "validate", source=self.uploads)

    def reconcile(self) -> None:
        """Of two performances that the file gives up, another file has one, too."""
        self.upload("also.csv", f"{HEADER}{BJORK}".encode())
        self.record("festival ingest s3://", "ingest", f"{self.uploads}also.csv")
        self.record("festival ingest s3://", "ingest", f"{self.uploads}skogur.csv", "--again")
        self.upload("skogur.csv", EVENING)
        self.aws.drain()
        self.record("festival reconcile", "reconcile", f"{self.uploads}skogur.csv")
        self.record("festival reconcile --yes", "reconcile", f"{self.uploads}skogur.csv", "--yes")
        self.record("festival list", "list", "stages")
        self.record("festival list --scan", "list", "dates", "--scan")
        self.notebook("notebook query, to s3://", "query", self.runs)

    def bury_and_redrive(self) -> None:
        """A letter about a file that the ledger knows."""
        sqs = self.aws.session().client("sqs")
        self.upload("buried.csv", EVENING)
        (message,) = sqs.receive_message(QueueUrl=self.outputs.queue_url)["Messages"]
        self.record("festival ingest s3://", "ingest", f"{self.uploads}buried.csv")
        letters = self.outputs.dead_letter_queue_url
        sqs.send_message(QueueUrl=letters, MessageBody=message["Body"])
        self.record("festival dlq", "dlq")
        self.record("festival dlq --redrive", "dlq", "--redrive")
        self.aws.drain(0)

    def verify(self) -> None:
        self.aws.work(lambda error: None)
        self.record("festival verify", "verify")

    def backfill(self) -> None:
        everything = {"dry_run": "false", "again": "true"}
        self.notebook("notebook backfill, direct", "backfill", engine="direct", **everything)
        poller = self.aws.poller()
        poller.start(lambda error: None)
        self.notebook("notebook backfill, queue", "backfill", engine="queue", **everything)
        poller.stop()


@pytest.fixture(scope="module")
def season(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Season]:
    recorder = Recorder()
    with EmbeddedAws(on_request=recorder) as aws:
        season = Season(aws, recorder, tmp_path_factory.mktemp("runs"))
        season.go()
        yield season


@pytest.mark.parametrize("entry", ENTRIES)
def test_a_command_needs_the_rights_that_the_readme_says_and_no_other(season: Season, entry: str):
    assert season.called[entry] == ENTRIES[entry]


def test_every_command_that_was_run_is_in_the_readme(season: Season):
    assert set(season.called) == set(ENTRIES)


def actions(statements: list[dict[str, Any]]) -> set[str]:
    allowed: set[str] = set()
    for entry in statements:
        for statement in entry["Fn::If"][1:2] if "Fn::If" in entry else [entry]:
            action = statement["Action"]
            allowed |= set(action if isinstance(action, list) else [action])
    return allowed


def policy(name: str) -> set[str]:
    return actions(RESOURCES[name]["Properties"]["PolicyDocument"]["Statement"])


def test_the_analyst_has_the_rights_to_ask_and_no_other():
    assert needed("analyst") <= policy("AnalystPolicy")
    assert policy("AnalystPolicy") - needed("analyst") <= set(BESIDES)


def test_the_operator_has_with_the_analysts_the_rights_to_operate_and_no_other():
    both = policy("AnalystPolicy") | policy("OperatorPolicy")
    assert needed("operator") <= both
    assert policy("OperatorPolicy") - needed("operator") <= set(BESIDES)
    assert set(BESIDES) <= both - needed("operator") | {
        "dynamodb:GetItem",
        "s3:PutObject",
    }


def test_the_function_was_allowed_everything_that_it_called(season: Season):
    (ingest,) = RESOURCES["IngestRole"]["Properties"]["Policies"]
    allowed = actions(ingest["PolicyDocument"]["Statement"])
    assert season.recorder.actions[FUNCTION] <= allowed
    assert {a for a in season.recorder.actions[LAMBDA] if a.startswith("sqs:")} <= allowed
