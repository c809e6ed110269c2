"""The scheduled backfill: what is deployed for it, and the very commands that it runs."""

import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from festival.embedded.aws import EMAIL, EmbeddedAws
from festival.stack.build import build_archive, pip_commands
from festival.stack.deploy import DeployRequest, deploy, plan
from festival.stack.stack import StackOutputs, find_stack, read_template
from festival.stack.template import parse_template

ROOT = Path(__file__).parents[2]
RESOURCES = parse_template(read_template())["Resources"]
PROJECT = RESOURCES["BackfillProject"]["Properties"]
SCHEDULE = {"EmailAddress": EMAIL, "BackfillSchedule": "cron(0 3 * * ? *)"}


class Night:
    """A stack with a schedule, three files in its bucket, and the unpacked archive of the kit."""

    def __init__(self, aws: EmbeddedAws, folder: Path) -> None:
        self.aws = aws
        (folder / "wheels").mkdir()
        (folder / "wheels" / "kit-1-py3-none-any.whl").write_bytes(b"a wheel")
        archive = build_archive(folder / "kit.zip", folder / "wheels")
        self.session = aws.session()
        self.outputs: StackOutputs = deploy(
            self.session, DeployRequest(parameters=SCHEDULE, archive=archive)
        )
        self.workspace = folder / "workspace"
        self.stack = find_stack(self.session.client("cloudformation"), self.outputs.stack)
        for name in ("sample.csv", "sample.json", "messy.csv"):
            self.session.client("s3").upload_file(
                str(ROOT / "sample" / name), self.outputs.upload_bucket, name
            )
        self._unpack()

    def _unpack(self) -> None:
        """As CodeBuild does with a source in S3."""
        assert self.stack is not None
        bucket = self.stack.parameters["DeploymentBucketName"]
        key = self.stack.parameters["KitArchiveKey"]
        downloaded = self.workspace.with_suffix(".zip")
        self.session.client("s3").download_file(bucket, key, str(downloaded))
        with zipfile.ZipFile(downloaded) as archive:
            archive.extractall(self.workspace)

    def environment(self) -> dict[str, str]:
        """What the project sets, and a shell that finds this Python's programs."""
        values = {
            "AWS::StackName": self.outputs.stack,
            "ReportsBucket": self.outputs.reports_bucket,
        }
        set_by_project = {
            variable["Name"]: values[variable["Value"]["Ref"]]
            for variable in PROJECT["Environment"]["EnvironmentVariables"]
        }
        programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return {**self.aws.environment, **set_by_project, "PATH": programs}

    def run(self, command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sh", "-c", command],
            cwd=self.workspace,
            env=self.environment(),
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def night(tmp_path: Path) -> Iterator[Night]:
    with EmbeddedAws() as aws:
        yield Night(aws, tmp_path)


def commands() -> list[str]:
    """Every command of the build specification, in the order of its phases."""
    specification: dict[str, Any] = yaml.safe_load(PROJECT["Source"]["BuildSpec"]["Fn::Sub"])
    phases = specification["phases"]
    return [command for phase in ("install", "build") for command in phases[phase]["commands"]]


@pytest.mark.skipif(os.name == "nt", reason="CodeBuild's shell is a POSIX one")
def test_the_commands_of_the_build_bring_the_bucket_into_the_table(night: Night):
    for command in commands():
        done = night.run(command)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    s3 = night.session.client("s3")
    listed = s3.list_objects_v2(Bucket=night.outputs.reports_bucket, Prefix="runs/")["Contents"]
    assert sorted(Path(entry["Key"]).suffix for entry in listed) == [".html", ".ipynb"]
    items = night.session.client("dynamodb").scan(TableName=night.outputs.table)["Items"]
    assert len(items) > 50
    (summary,) = night.aws.emails()
    assert "3" in summary.subject


def test_the_archive_has_the_notebooks_and_the_wheels_and_keeps_its_key(tmp_path: Path):
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    (wheels / "kit-1-py3-none-any.whl").write_bytes(b"a wheel")
    (wheels / "notes.txt").write_bytes(b"not a wheel")
    archive = build_archive(tmp_path / "kit.zip", wheels)
    with zipfile.ZipFile(archive) as content:
        names = content.namelist()
    assert "notebooks/backfill.ipynb" in names
    assert [name for name in names if name.startswith("wheels/")] == [
        "wheels/kit-1-py3-none-any.whl"
    ]
    assert build_archive(tmp_path / "again.zip", wheels).read_bytes() == archive.read_bytes()


def test_the_wheels_are_for_the_python_that_the_build_asks_for(night: Night, tmp_path: Path):
    install = yaml.safe_load(PROJECT["Source"]["BuildSpec"]["Fn::Sub"])["phases"]["install"]
    assert install["runtime-versions"] == {"python": "${KitPython}"}
    assert night.stack is not None
    _, download = pip_commands(tmp_path, tmp_path)
    wanted = download[download.index("--python-version") + 1]
    assert wanted == night.stack.parameters["KitPython"]
    assert wanted in parse_template(read_template())["Parameters"]["KitPython"]["AllowedValues"]
    assert download[-1] in " ".join(commands()).replace('"', "")
    assert "--only-binary=:all:" in download


def test_what_is_scheduled_stays_scheduled_with_the_next_deployment(night: Night):
    planned = plan(night.session, DeployRequest(parameters={"LogLevel": "DEBUG"}))
    assert [change.resource for change in planned.changes] == ["IngestFunction"]


def test_nothing_of_the_schedule_exists_unless_it_is_wanted():
    of_the_schedule = {
        name for name, resource in RESOURCES.items() if resource.get("Condition") == "HasSchedule"
    }
    assert of_the_schedule == {
        "NightlyBackfill",
        "BackfillStarterRole",
        "BackfillProject",
        "BackfillLogGroup",
        "BackfillRole",
        "BackfillFailedRule",
    }


def test_a_build_that_does_not_come_to_its_end_is_told_to_people():
    rule = RESOURCES["BackfillFailedRule"]["Properties"]
    assert rule["EventPattern"]["detail"]["build-status"] == [
        "FAILED",
        "FAULT",
        "STOPPED",
        "TIMED_OUT",
    ]
    (target,) = rule["Targets"]
    assert target["Arn"] == {"Ref": "IngestTopic"}
    assert "Remedy: " in target["InputTransformer"]["InputTemplate"]["Fn::Sub"]


def test_the_schedule_may_start_this_build_and_nothing_else():
    (policy,) = RESOURCES["BackfillStarterRole"]["Properties"]["Policies"]
    (statement,) = policy["PolicyDocument"]["Statement"]
    assert statement["Action"] == "codebuild:StartBuild"
    assert statement["Resource"]["Fn::Sub"].endswith(":project/${BackfillProject}")
