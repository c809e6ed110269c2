import csv
import json

from hypothesis import given
from hypothesis import strategies as st

from festival.cli.files import COLUMNS, csv_lines, json_lines
from festival.lineup.model import Performance
from festival.table.item import attributes

MIDNIGHT_MASS = Performance(
    'The "Quiet" Neighbours', "Le Chapiteau", "2025-07-12", 1410, 1530, 86, 2
)

# A name never holds a line break: reading made it a space.
names = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1)
performances = st.builds(
    Performance,
    performer=names,
    stage=names,
    date=st.dates().map(str),
    start=st.integers(0, 2879),
    end=st.integers(0, 4320),
    popularity=st.none() | st.integers(1, 100),
    line=st.integers(1),
)


@given(st.lists(performances, max_size=4))
def test_a_json_line_says_what_the_tables_attributes_say(some):
    lines = json_lines(some).split("\n")[:-1]
    assert [json.loads(line) for line in lines] == [attributes(one) for one in some]
    assert [list(json.loads(line)) for line in lines] == [list(attributes(one)) for one in some]


@given(st.lists(performances, max_size=4))
def test_a_csv_row_says_what_the_tables_attributes_say(some):
    rows = csv.reader(csv_lines(some).split("\n")[:-1])
    assert [dict(zip(COLUMNS, row, strict=True)) for row in rows] == [
        {name: str(attributes(one).get(name, "")) for name in COLUMNS} for one in some
    ]


def test_a_set_that_ends_after_midnight_keeps_its_date():
    [line] = json_lines([MIDNIGHT_MASS]).splitlines()
    said = json.loads(line)
    assert (said["Date"], said["StartTime"], said["EndTime"]) == ("2025-07-12", "23:30", "01:30")
    assert (said["StartMinutes"], said["EndMinutes"]) == (1410, 1530)
