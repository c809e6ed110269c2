"""The key lists: found whole however long they are, by the days that they have."""

from datetime import UTC, datetime
from io import BytesIO

import pytest

from festival.ingest.reports_bucket import KeyLists, Part
from festival.lineup.model import Performance

FRIDAY, SATURDAY, SUNDAY = "2025-07-11", "2025-07-12", "2025-07-13"


def row(number, date=SATURDAY):
    return Performance(f"Band {number}", "Park", date, 1200, 1260, None, number)


class Shelf:
    """An S3 bucket that lists three objects at once."""

    def __init__(self):
        self.objects = {}

    def put_object(self, *, Bucket, Key, Body):  # noqa: N803
        self.objects[Key] = Body

    def get_object(self, *, Bucket, Key):  # noqa: N803
        return {"Body": BytesIO(self.objects[Key])}

    def list_objects_v2(self, *, Bucket, Prefix, ContinuationToken=""):  # noqa: N803
        keys = sorted(key for key in self.objects if key.startswith(Prefix))
        left = [key for key in keys if key > ContinuationToken]
        contents = [
            {"Key": key, "LastModified": datetime(2025, 7, 1, tzinfo=UTC)} for key in left[:3]
        ]
        if len(left) <= 3:
            return {"Contents": contents, "IsTruncated": False}
        return {"Contents": contents, "IsTruncated": True, "NextContinuationToken": left[2]}


@pytest.fixture
def lists():
    return KeyLists(Shelf(), "reports")


def test_a_large_files_list_is_read_to_its_last_part(lists):
    for first in range(1, 80, 10):
        lists.keep("upload/a.csv", "v1", [row(first), row(first + 5)])
    parts = lists.versions("upload/a.csv")["v1"]
    assert len(parts) == 8
    assert {each.line for each in lists.rows(parts)} == {
        line + more for line in range(1, 80, 10) for more in (0, 5)
    }


def test_every_file_with_a_list_is_found(lists):
    for number in range(7):
        lists.keep(f"upload/{number}.csv", "v1", [row(1)])
    found = lists.files().values()
    assert sorted(lists.file_of(versions["v1"][0]) for versions in found) == [
        f"upload/{number}.csv" for number in range(7)
    ]


@pytest.mark.parametrize(
    "dates", [(SUNDAY, FRIDAY, SATURDAY), (FRIDAY, SATURDAY, SUNDAY), (SATURDAY, SUNDAY, FRIDAY)]
)
def test_a_part_may_have_each_day_from_its_first_to_its_last_in_whatever_order_they_came(
    lists, dates
):
    lists.keep("upload/a.csv", "v1", [row(n, date) for n, date in enumerate(dates, 1)])
    ((part,),) = lists.versions("upload/a.csv").values()
    for date in (FRIDAY, SATURDAY, SUNDAY):
        assert part.may_have([date])
    assert not part.may_have(["2025-07-10", "2025-07-14"])


def test_a_part_of_one_day_has_that_day():
    assert Part(f"keys/abc/v1/from-line-000000002.{FRIDAY}.{FRIDAY}.jsonl.gz").may_have([FRIDAY])
