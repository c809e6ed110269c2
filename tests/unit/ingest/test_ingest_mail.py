"""The e-mail: a subject that SNS takes for any file name, a body a person can act on."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from festival.errors import LineupError, NotYetError, Remedy
from festival.ingest.mail import Mailer, body, subject
from festival.ingest.pipeline import ingest_blocks
from festival.ingest.report import Counts, IngestReport
from festival.ingest.tally import Tally
from festival.lineup.mapping import LineupMapping
from festival.lineup.read import read_lineup


def report(file="upload/sample.csv", counts=None, **more):
    return IngestReport(file, counts or Counts(read=60), more.pop("rejections", []), [], [], **more)


def rejection(line):
    return {"line": line, "field": "Start", "value": "25:99", "reason": "no time of day"}


def test_the_subject_says_status_file_and_counts():
    assert subject(report()) == "SUCCESS: sample.csv - 60 written"
    partial = report(counts=Counts(read=60, rejected=4))
    assert subject(partial) == "PARTIAL: sample.csv - 56 written, 4 rejected"


@given(st.text(max_size=1200), st.integers(0, 10**12), st.integers(0, 10**12))
def test_any_file_name_makes_a_subject_that_sns_takes(name, written, rejected):
    line = subject(report("bucket/" + name, Counts(read=written + rejected, rejected=rejected)))
    assert 0 < len(line) < 100
    assert line.isascii()
    assert line.isprintable()


def test_a_long_name_keeps_its_beginning_and_its_ending():
    line = subject(report("bucket/" + "summer-" * 40 + "lineup.csv"))
    assert line.startswith("SUCCESS: summer-")
    assert "lineup.csv - 60 written" in line


def test_the_body_shows_twenty_rejections_and_says_how_many_more_there_are():
    rows = [rejection(line) for line in range(2, 57)]
    text = body(report(counts=Counts(read=100, rejected=55), rejections=rows))
    assert text.count("no time of day") == 20
    assert "... and 35 more" in text


def test_a_value_with_line_breaks_cannot_forge_a_line_of_the_body():
    row = rejection(2) | {"value": "20:00\n\nStatus: success"}
    text = body(report(counts=Counts(read=2, rejected=1), rejections=[row]))
    assert "\nStatus: success" not in text
    assert "\\n\\nStatus: success" in text


def test_the_body_proposes_a_new_name_for_the_corrected_rows():
    text = body(
        report(
            counts=Counts(read=2, rejected=1),
            rejections=[rejection(3)],
            version="v1",
            rejected_rows_at="s3://reports/rejected/abc/v1/",
        )
    )
    assert "s3://reports/rejected/abc/v1/" in text
    assert "  sample.corrections-" in text


def test_who_is_told_of_a_file_that_was_given_up_is_not_asked_to_correct_it():
    text = body(report(counts=Counts(), error="DynamoDB was throttled", given_up=True))
    assert "`festival dlq --redrive` tries again" in text
    assert "Correct the file" not in text


def test_a_file_that_is_no_lineup_is_to_be_corrected():
    text = body(report(counts=Counts(), error="the file is a PNG picture", version="v1"))
    assert "inspect" not in text
    assert "Correct the file and upload it again" in text
    assert "dead-letter" not in text


class Sns:
    sent = 0

    def publish(self, **message):
        self.sent += 1
        return {"MessageId": str(self.sent)}


def test_e_mails_keep_the_pace_that_sns_bears():
    now = [100.0]
    waits = []

    def sleep(seconds):
        waits.append(seconds)
        now[0] += seconds

    sns = Sns()
    mailer = Mailer(sns, "arn:aws:sns:eu-west-1:1:festival", 4, lambda: now[0], sleep)
    for _ in range(3):
        mailer.send(report())
    assert sns.sent == 3
    assert waits == [0.5, 0.5]  # four processes at eight a second: each may send two a second


def test_an_e_mail_whose_turn_comes_before_the_end_of_its_try_is_sent():
    now = [100.0]
    sns = Sns()
    mailer = Mailer(
        sns,
        "arn:aws:sns:eu-west-1:1:festival",
        4,
        lambda: now[0],
        lambda seconds: now.__setitem__(0, now[0] + seconds),
    )
    mailer.send(report())
    mailer.send(report(), until=100.75)  # its turn comes at 100.5
    assert sns.sent == 2


def test_a_clock_that_is_set_back_makes_nobody_wait_longer_than_a_turn():
    now, waits = [100_000.0], []
    mailer = Mailer(Sns(), "arn:aws:sns:eu-west-1:1:festival", 4, lambda: now[0], waits.append)
    mailer.send(report())
    now[0] -= 3600
    mailer.send(report())
    assert waits == [0.5]


@pytest.mark.parametrize("processes", [2, 1_000])  # as the template's MaximumConcurrency
@pytest.mark.parametrize("batch", [1, 10])  # and its BatchSize
def test_no_e_mail_is_slept_for_past_the_end_of_its_try(processes, batch):
    now, end = [100.0], 400.0

    def sleep(seconds):
        now[0] += seconds
        assert now[0] < end

    sns = Sns()
    mailer = Mailer(sns, "arn:aws:sns:eu-west-1:1:festival", processes, lambda: now[0], sleep)
    late = []
    for _ in range(batch):
        try:
            mailer.send(report(), until=end)
        except NotYetError as turn:
            late.append(turn.until)
    assert sns.sent + len(late) == batch
    assert all(end <= turn <= end + processes / 8 for turn in late)


def test_no_e_mail_is_sent_after_the_lease_by_a_machine_that_was_suspended():
    now = [100.0]

    def suspended(_):
        now[0] += 3600

    sns = Sns()
    mailer = Mailer(sns, "arn:aws:sns:eu-west-1:1:festival", 8, lambda: now[0], suspended)
    mailer.send(report(), until=125.0)
    with pytest.raises(NotYetError):
        mailer.send(report(), until=125.0)
    assert sns.sent == 1


def refused(option, field, value):
    return {"line": 2, "field": field, "value": value, "reason": "unclear", "option": option}


def partial_report(*rows, **more):
    return report(
        counts=Counts(read=9, rejected=len(rows)),
        rejections=list(rows),
        version="v1",
        rejected_rows_at="s3://reports/rejected/abc/v1/",
        **more,
    )


def mappings_in(text):
    """The mappings that an e-mail proposes, as a person would copy them."""
    return [json.loads(line) for line in text.splitlines() if line.startswith("    {")]


def test_refused_rows_that_a_mapping_settles_come_with_the_mapping_and_its_name():
    text = body(partial_report(refused("date_order", "Date", "03/02/2025")))
    assert mappings_in(text) == [{"date_order": "day_first"}, {"date_order": "month_first"}]
    assert "\n  sample.csv.mapping.json\n" in text
    assert "\n  festival inspect s3://upload/sample.csv --ask\n" in text
    assert "Or correct them" in text


@pytest.mark.parametrize(
    ("row", "options"),
    [
        (refused("date_order", "Date", "25/06/2025"), {"date_order": "day_first"}),
        (refused("date_order", "Date", "6-25"), {"date_order": "month_first"}),
        (refused("first_date", "Date", "Friday"), {"first_date": "YYYY-MM-DD"}),
        (refused("dates", "Date", "Day 1"), {"dates": {"Day 1": "YYYY-MM-DD"}}),
        (refused("time_zone", "Start", "1752350400"), {"time_zone": "Area/City"}),
        (refused("default_length", "End", ""), {"default_length": 60}),
        (refused("placeholders", "End", "TBA"), {"placeholders": ["TBA"], "default_length": 60}),
        (refused("fill_down", "Stage", ""), {"fill_down": ["Date", "Stage"]}),
    ],
)
def test_each_option_is_proposed_as_far_as_the_rows_tell_it(row, options):
    text = body(partial_report(row))
    assert mappings_in(text) == [options]
    blanks = [blank for blank in ("YYYY-MM-DD", "Area/City") if blank in json.dumps(options)]
    for blank in blanks:
        assert f"First put what is right in place of {blank}.\n" in text
        with pytest.raises(LineupError):
            LineupMapping.from_dict(options)
    if not blanks:
        LineupMapping.from_dict(options)


def test_what_the_files_mapping_says_already_stays_in_the_proposal():
    given = LineupMapping.from_dict({"placeholders": ["TBA"], "clock": "12h"})
    text = body(partial_report(refused("placeholders", "End", "tbc")), mapping=given)
    (proposed,) = mappings_in(text)
    assert proposed == given.to_dict() | {"placeholders": ["TBA", "tbc"], "default_length": 60}


def test_an_option_that_only_a_look_can_tell_comes_with_the_command_alone():
    text = body(partial_report(refused("encoding", "", "Bj?rk")))
    assert mappings_in(text) == []
    assert "festival inspect s3://upload/sample.csv --ask" in text


def test_rows_that_no_mapping_settles_come_without_one():
    text = body(partial_report(rejection(3)))
    assert "mapping" not in text
    assert "inspect" not in text
    assert "\nCorrect them" in text


def test_a_mappings_own_mistake_is_not_the_lineups():
    error = "s3://upload/sample.csv.mapping.json: the mapping is not JSON; correct it"
    broken = report(counts=Counts(), error=error, remedy=Remedy.SIDECAR, version="v1+abc")
    text = body(broken)
    assert text.endswith(
        "\nThe file itself is not at fault: correct the mapping and upload it again.\n"
    )
    assert "Correct the file" not in text


def test_a_file_that_cannot_be_read_by_its_mapping_may_have_the_wrong_one():
    error = "the mapping's columns say that 'act' is the Performer; expected a column of that name"
    unread = report(counts=Counts(), error=error, remedy=Remedy.MAPPING, version="v1+abc")
    text = body(unread)
    assert "Or correct the file or its mapping and upload it again under the same name." in text


@pytest.mark.parametrize(
    ("content", "remedy"),
    [
        (b"\x89PNG\r\n\x1a\n", Remedy.FILE),
        (b"var lineup = [{}]\n", Remedy.FILE),
        (b"", Remedy.FILE),
        (b"Band,Where,Opens\nAbba,Main,2025-06-13\n", Remedy.MAPPING),
        (b"Abba,Main,2025-06-13,20:00,21:00\n", Remedy.MAPPING),
        (b'{"festival": {"name": "Roskilde"}}', Remedy.MAPPING),
        ("Wykonawca,Scena,Ko\u0144czy\nŻółć,Główna,22:00\n".encode("cp1250"), Remedy.MAPPING),
    ],
)
def test_a_mapping_is_proposed_for_what_a_mapping_can_make_readable(content, remedy):
    ended = ingest_blocks(read_lineup([content]), Tally())
    assert (ended.remedy, bool(ended.error)) == (remedy, True)
    text = body(report(counts=Counts(), error=ended.error, remedy=ended.remedy, version="v1"))
    assert ("festival inspect s3://upload/sample.csv --ask" in text) == (remedy is Remedy.MAPPING)
