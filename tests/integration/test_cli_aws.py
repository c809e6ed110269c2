"""The command against the embedded AWS."""

import json
import re
import shlex

import pytest

from festival.cli import main as command
from festival.embedded.aws import EmbeddedAws
from festival.stack.stack import StackOutputs


@pytest.fixture(scope="module")
def aws():
    with EmbeddedAws() as running:
        yield running


@pytest.fixture(scope="module")
def outputs(aws) -> StackOutputs:
    return aws.deploy()


@pytest.fixture
def festival(aws, capsys):
    """Runs the command: exit status, standard output, lines of standard error."""

    def run(*args):
        with pytest.raises(SystemExit) as ended:
            command.main([str(arg) for arg in args])
        out, err = capsys.readouterr()
        return ended.value.code, out, err.splitlines()

    return run


@pytest.fixture(scope="module")
def the_sample(aws, outputs, request):
    """sample.csv in the table, as the function puts it there."""
    file = request.config.rootpath / "sample" / "sample.csv"
    aws.session().client("s3").upload_file(str(file), outputs.upload_bucket, file.name)
    aws.drain()


def performers(out):
    return [item["Performer"] for item in json.loads(out)]


@pytest.mark.usefixtures("the_sample")
class TestQuery:
    def test_a_performer_in_the_order_of_time(self, festival):
        status, out, _ = festival("query", "performer", "The Paper Lanterns", "--json")
        assert status == 0
        assert [(one["Date"], one["StartTime"]) for one in json.loads(out)] == [
            ("2025-07-11", "14:30"),
            ("2025-07-13", "16:20"),
        ]

    def test_a_date_in_a_time_range(self, festival):
        _, out, _ = festival(
            *("query", "date", "2025-07-12", "--from", "20:00", "--to", "20:30", "--json")
        )
        assert performers(out) == ["Megan Thee Stallion", "Marisol Quintero"]

    def test_a_range_over_midnight(self, festival):
        _, out, _ = festival(
            *("query", "date", "2025-07-11", "--from", "23:30", "--to", "01:30", "--json")
        )
        assert performers(out) == ["Zsófia Éjfél", "Low Tide Sound System"]

    def test_who_is_on_a_stage_after_midnight(self, festival):
        where = ("query", "stage", "Le Chapiteau", "2025-07-13", "00:45")
        assert performers(festival(*where, "--json")[1]) == ["Vantablack Disco"]
        assert performers(festival(*where, "--json", "--exact")[1]) == []

    def test_the_popular_ones_first(self, festival):
        _, out, _ = festival("query", "popular", "--above", "90", "--json")
        assert [one["Popularity"] for one in json.loads(out)] == [97, 97, 94, 91]

    def test_a_table_for_people(self, festival):
        status, out, err = festival("query", "performer", "Vantablack Disco")
        lines = out.splitlines()
        assert (status, err) == (0, [])
        assert lines[0].split() == ["Date", "Start", "End", "Stage", "Performer", "Popularity"]
        assert "23:30  01:30+1  Le Chapiteau" in lines[2]
        assert lines[-1].startswith("1 performance · 1 Query")

    def test_nobody_of_that_name_is_an_answer(self, festival):
        status, out, _ = festival("query", "performer", "Nobody")
        assert status == 0
        assert out.startswith("0 performances")

    def test_the_table_by_option_and_by_environment(self, festival, outputs, monkeypatch):
        monkeypatch.setenv("FESTIVAL_STACK", "no-such-stack")
        assert festival("query", "popular")[0] == 2
        monkeypatch.setenv("FESTIVAL_TABLE", outputs.table)
        assert festival("query", "popular")[0] == 0
        monkeypatch.setenv("FESTIVAL_TABLE", "no-such-table")
        assert festival("query", "popular", "--table", outputs.table)[0] == 0

    @pytest.mark.parametrize(
        ("args", "named"),
        [
            (("performer", "Megan", "--table", "gone"), "gone"),
            (("date", "12 July"), "'12 July'"),
            (("date", "2025-07-12", "--from", "8pm"), "'8pm'"),
            (("stage", "Main Stage", "2025-07-12", "25h"), "'25h'"),
        ],
    )
    def test_a_mistake_is_one_line_that_names_the_value(self, festival, args, named):
        status, out, err = festival("query", *args)
        assert (status, out, len(err)) == (2, "", 1)
        assert named in err[0]


class TestIngest:
    LINEUP = "Performer,Stage,Date,Start,End\nSault,Field,2026-06-05,21:00,22:15\n"

    def test_a_local_file_goes_straight_to_the_table(self, festival, outputs, tmp_path):
        file = tmp_path / "late addition.csv"
        file.write_text(self.LINEUP)
        status, out, err = festival("ingest", file)
        assert (status, err) == (0, [])
        assert "success. 1 row read: 1 written" in out
        [item] = json.loads(festival("query", "performer", "Sault", "--json")[1])
        assert item["Performance"] == "2026-06-05#21:00#Field"

    def test_its_report_as_json(self, festival, outputs, tmp_path):
        file = tmp_path / "lineup.csv"
        file.write_text(self.LINEUP + "Sault,Field,2026-06-05,soon,22:15\n")
        status, out, err = festival("ingest", file, "--json", "--strict")
        report = json.loads(out)
        assert (status, err) == (1, [])
        assert (report["status"], report["written"], report["rejected"]) == ("partial", 1, 1)

    def test_a_table_that_is_not_there_leaves_rows_unwritten_and_is_exit_2(
        self, festival, outputs, tmp_path
    ):
        file = tmp_path / "lineup.csv"
        file.write_text(self.LINEUP)
        status, out, err = festival("ingest", file, "--table", "gone", "--json")
        report = json.loads(out)
        assert (status, len(err)) == (2, 1)
        assert (report["status"], report["unwritten"], report["written"]) == ("failure", 1, 0)
        assert "gone" in err[0]

    def test_an_object_goes_by_way_of_the_ledger_and_once_a_version(self, festival, aws, outputs):
        s3 = aws.session().client("s3")
        s3.put_object(Bucket=outputs.upload_bucket, Key="sault.csv", Body=self.LINEUP.encode())
        address = f"s3://{outputs.upload_bucket}/sault.csv"
        before = len(aws.emails())
        first = festival("ingest", address, "--json")
        again = festival("ingest", address, "--json")
        once_more = festival("ingest", address, "--json", "--again")
        assert [each[0] for each in (first, again, once_more)] == [0, 0, 0]
        assert [json.loads(each[1])["written"] for each in (first, again, once_more)] == [1, 1, 1]
        assert first[2] == once_more[2] == []
        assert "in the table already" in again[2][0]
        assert len(aws.emails()) == before, "an e-mail only with --notify"
        aws.drain()
        assert len(aws.emails()) == before, "the version was finished when its event came"

    def test_notify_sends_the_e_mail(self, festival, aws, outputs, tmp_path):
        file = tmp_path / "told.csv"
        file.write_text(self.LINEUP)
        before = len(aws.emails())
        assert festival("ingest", file, "--notify")[0] == 0
        assert "told.csv - 1 written" in aws.emails()[before].subject

    @pytest.mark.parametrize("address", ["s3://", "s3://bucket", "s3://bucket/folder/"])
    def test_what_names_no_object_is_one_line(self, festival, outputs, address):
        status, _, err = festival("ingest", address)
        assert (status, len(err)) == (2, 1)
        assert "s3://BUCKET/KEY" in err[0]

    def test_an_object_that_is_not_there_is_a_failure(self, festival, outputs):
        status, _, err = festival("ingest", f"s3://{outputs.upload_bucket}/gone.csv")
        assert (status, len(err)) == (2, 1)
        assert "gone.csv" in err[0]

    def test_again_is_for_objects_only(self, festival, tmp_path):
        status, _, err = festival("ingest", tmp_path / "lineup.csv", "--again")
        assert (status, len(err)) == (2, 1)


class TestOperating:
    def test_history_has_each_version_of_a_file(self, festival, aws, outputs):
        s3 = aws.session().client("s3")
        for end in ("22:15", "22:30"):
            row = f"Performer,Stage,Date,Start,End\nWet Leg,Field,2026-06-05,21:00,{end}\n"
            s3.put_object(Bucket=outputs.upload_bucket, Key="wet leg.csv", Body=row.encode())
            aws.drain()
        status, out, _ = festival("history", "wet leg.csv")
        assert status == 0
        assert out.count("wet leg.csv") == 2
        assert "notified" in out
        everything = festival("history")[1]
        assert "wet leg.csv" in everything

    def test_history_of_a_file_nobody_uploaded(self, festival, outputs):
        assert festival("history", "nothing.csv")[1] == "nothing was ingested\n"

    def test_dlq_shows_what_nobody_understands_and_puts_it_back_unaltered(
        self, festival, aws, outputs
    ):
        sqs = aws.session().client("sqs")
        sqs.send_message(QueueUrl=outputs.dead_letter_queue_url, MessageBody="hello?")
        status, out, _ = festival("dlq")
        assert status == 0
        assert out.startswith("1 message in the dead-letter queue")
        assert "hello?" in out and "reason" in out
        assert "is back in the queue" in festival("dlq", "--redrive")[1]
        assert festival("dlq")[1] == "0 messages in the dead-letter queue\n"
        [message] = sqs.receive_message(QueueUrl=outputs.queue_url)["Messages"]
        assert message["Body"] == "hello?"
        sqs.delete_message(QueueUrl=outputs.queue_url, ReceiptHandle=message["ReceiptHandle"])

    def test_status_shows_queues_ingests_and_the_subscription(self, festival, aws, outputs):
        status, out, err = festival("status")
        assert (status, err) == (0, [])
        for expected in ("o240-festival: ", "Queue", "Dead letters", "operator@festival.example"):
            assert expected in out


class TestDeploying:
    STACK = ("--stack", "second")

    def test_a_stack_from_nothing_to_nothing(self, festival, aws, outputs, tmp_path, monkeypatch):
        asked = festival("deploy", *self.STACK, "--email", "me@festival.example")
        assert asked[0] == 2
        assert asked[2] == ["festival: not a terminal: pass --yes to continue"]
        assert festival("history")[0] == 0, "the other stack is still there"
        monkeypatch.setenv("FESTIVAL_STACK", "second")
        mail = ("--email", "me@festival.example", "-p", "FunctionName", "second", "--yes")
        status, out, _ = festival("deploy", *mail)
        assert status == 0
        assert "To create the stack second" in out
        assert "confirm" in out
        assert "nothing to change" in festival("deploy", "--yes")[1]
        file = tmp_path / "lineup.csv"
        file.write_text(TestIngest.LINEUP)
        assert festival("ingest", file)[0] == 0
        refused = festival("teardown", "--yes")
        assert refused[0] == 2
        assert "--delete-data" in refused[2][0]
        status, out, err = festival("teardown", "--yes", "--delete-data")
        assert (status, err) == (0, [])
        assert "To remove the stack second" in out
        assert festival("teardown", "--yes")[0] == 2, "there is nothing left to remove"

    def test_a_first_deployment_has_to_say_whom_to_tell(self, festival, outputs):
        status, _, err = festival("deploy", "--stack", "third", "--yes")
        assert (status, len(err)) == (2, 1)
        assert "EmailAddress" in err[0]

    def test_build_writes_the_same_zip_again(self, festival, outputs, tmp_path):
        for name in ("one.zip", "two.zip"):
            assert festival("build", "-o", tmp_path / name)[0] == 0
        assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


@pytest.mark.usefixtures("the_sample")
def test_the_aws_queries_of_the_readme_have_answers(aws, outputs, request):
    """As the AWS CLI would send them: its options are the parameters of the API by other names."""
    readme = (request.config.rootpath / "README.md").read_text(encoding="utf-8")
    shown = re.findall(r"^aws dynamodb ((?:.*\\\n)+.*)$", readme, re.MULTILINE)
    dynamodb = aws.session().client("dynamodb")
    answered = {}
    for call in shown:
        operation, *words = shlex.split(call.replace("\\\n", " "))
        parameters = {"TableName": outputs.table}
        for option, value in zip(words, [*words[1:], ""], strict=True):
            name = "".join(part.title() for part in option.removeprefix("--").split("-"))
            if option.startswith("--") and option not in (
                "--table-name",
                "--no-scan-index-forward",
            ):
                parameters[name] = json.loads(value) if value.startswith("{") else value
        answer = getattr(dynamodb, operation.replace("-", "_"))(**parameters)
        items = [answer["Item"]] if "Item" in answer else answer["Items"]
        answered[parameters.get("IndexName", operation)] = [
            item["Performer"]["S"] for item in items
        ]
    assert set(answered) == {"query", "DateIndex", "StageIndex", "PopularityIndex", "get-item"}
    assert all("Megan Thee Stallion" in performers for performers in answered.values())


def test_a_schedule_brings_the_kits_archive_along(festival, aws, outputs, monkeypatch):
    def small_archive(out):
        out.write_bytes(b"the kit, and its wheels")
        return out

    monkeypatch.setattr("festival.cli.stack.make_archive", small_archive)
    deploy = ("deploy", "--stack", "nightly", "-p", "FunctionName", "nightly", "--yes")
    mail = ("--email", "me@festival.example")
    assert festival(*deploy, *mail, "--schedule", "rate(1 day)")[0] == 0
    parameters = aws.session().client("cloudformation").describe_stacks(StackName="nightly")
    said = {
        each["ParameterKey"]: each["ParameterValue"]
        for each in parameters["Stacks"][0]["Parameters"]
    }
    assert said["BackfillSchedule"] == "rate(1 day)"
    kit = (
        aws.session()
        .client("s3")
        .get_object(Bucket=said["DeploymentBucketName"], Key=said["KitArchiveKey"])
    )
    assert kit["Body"].read() == b"the kit, and its wheels"
    assert festival("deploy", "--stack", "nightly", "--schedule", "never", "--yes")[0] == 0
