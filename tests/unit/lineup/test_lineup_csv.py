"""CSV: headers, delimiters, widths, quotes."""

import csv

import pytest

from festival.lineup.decode import Limits
from festival.lineup.formats.csv_quotes import QuoteResolver
from tests.lineup_reading import HEADER, csv_of, read, row


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_the_one_that_makes_the_header_fit(delimiter):
    text = csv_of(row("Crosby; Stills | Nash"), row("Pulp")).replace(",", delimiter)
    quoted = text.replace("Crosby; Stills | Nash", '"Crosby; Stills | Nash, Young"')
    reading = read(quoted)
    assert reading.names == ["Crosby; Stills | Nash, Young", "Pulp"]


def test_a_header_with_many_commas_in_its_names_is_still_divided_by_semicolons():
    header = "Performer;Stage;Date;Start;End;Notes, remarks, and, so, on, and, on"
    assert read(csv_of("Abba;Main;2025-06-12;20:00;21:00;", header=header)).names == ["Abba"]


@pytest.mark.parametrize(
    "header",
    [
        "performer,STAGE,Date,s tart,E_nd",
        " Performer , Stage,Date,Start,End",
        '"Performer","Stage","Date","Start","End"',
        "\ufeffPerformer,Stage,Date,Start,End",
        "\n\n,,,,\nPerformer,Stage,Date,Start,End",
    ],
)
def test_header_names_match_without_regard_to_case_spaces_and_underscores(header):
    assert read(csv_of("Abba,Main,2025-06-12,20:00,21:00", header=header)).names == ["Abba"]


@pytest.mark.parametrize(
    ("header", "named"),
    [
        ("Performer,Stage,Date,Start", "End"),
        ("Performer,Stage", "Date, Start, End"),
        ("Stage;Start;End", "Performer, Date"),
    ],
)
def test_a_missing_column_is_named_beside_what_was_found(header, named):
    error = read(csv_of(row(), header=header)).error
    assert f"no column for {named}:" in error
    assert header.replace(";", ", ").replace(",", ", ").replace("  ", " ") in error


@pytest.mark.parametrize(
    ("header", "both"),
    [
        ("Performer,performer,Stage,Date,Start,End", "'Performer' and 'performer'"),
        ("Artist,Stage,Date,Start,End,Name", "'Artist' and 'Name'"),
        ("Performer,Stage,Date,Start,End,End_", "'End' and 'End_'"),
    ],
)
def test_two_columns_for_one_field_are_an_error_that_names_both(header, both):
    assert both in read(csv_of(row(), header=header)).error


def test_a_field_by_its_own_name_goes_before_an_alias():
    reading = read(csv_of("x,Abba,Main,2025-06-12,20:00,21:00", header="Name," + HEADER[:-11]))
    assert reading.names == ["Abba"]
    assert [(each.line, each.value) for each in reading.warnings] == [(0, "Name")]


def test_columns_that_are_no_field_are_told_once_and_nameless_ones_never():
    text = csv_of(*["Abba,Main,2025-06-12,20:00,21:00,,Pop,x"] * 3, header=HEADER + ",Genre,")
    reading = read(text, limits=Limits(block_rows=1, block_bytes=10))
    assert len(reading.blocks) == 3
    assert [(each.line, each.value) for each in reading.warnings] == [(0, "Genre")]


def test_blank_lines_and_rows_of_blank_cells_are_no_rows():
    reading = read(csv_of(row(), "", ",,,,,", "  , ,\t,,,", '"","",', ",,,,,,,,", row("Pulp")))
    assert (reading.names, reading.rejections) == (["Abba", "Pulp"], [])
    assert reading.performances[1].line == 8
    assert sum(block.read for block in reading.blocks) == 2


def test_a_row_with_more_cells_than_the_header_is_refused_whole():
    reading = read(csv_of(row(), row() + ",extra", row("Pulp")))
    assert reading.refused == [(3, "", row() + ",extra")]
    assert reading.rejections[0].original == row() + ",extra"
    assert "7 cells" in reading.rejections[0].reason


def test_cells_that_a_short_row_lacks_are_blank():
    reading = read(csv_of("Abba,Main,2025-06-12,20:00,21:00", "Pulp,Main,2025-06-12,20:00"))
    assert reading.names == ["Abba"]
    assert reading.refused == [(3, "End", "")]


def test_names_may_hold_delimiters_quotes_and_line_breaks():
    reading = read(csv_of(row('"Tyler, The Creator"'), row('"The ""Best"""'), row('"The\n\nBand"')))
    assert reading.names == ["Tyler, The Creator", 'The "Best"', "The Band"]
    assert [each.line for each in reading.performances] == [2, 3, 4]


def test_a_row_behind_a_name_of_three_lines_has_its_own_line_number():
    reading = read(csv_of(row('"The\nBand\nof"'), row("Pulp"), row('"Blur"')))
    assert [each.line for each in reading.performances] == [2, 5, 6]


def test_text_behind_a_closing_quote_is_kept_and_told():
    reading = read(csv_of(row('"Weird Al" Yankovic'), row("Pulp")))
    assert reading.names == ["Weird Al Yankovic", "Pulp"]
    [warning] = reading.warnings
    assert (warning.line, warning.reason[:17]) == (2, "has text after a ")


def test_a_quote_within_a_name_is_a_character_like_others():
    assert read(csv_of(row('Chloe "Clo" Moriondo'))).names == ['Chloe "Clo" Moriondo']


@pytest.mark.parametrize(
    "broken",
    [
        row('"Unclosed'),
        row(stage='"Main'),
        row('"Weird" Al', stage='"Main'),
        row("x", popularity='"'),
        '"',
        'Abba,"',
    ],
)
@pytest.mark.parametrize("closing", ["", row("Gin, 12", stage='Main"'), row('"B"'), row('"')])
def test_no_good_row_is_lost_behind_an_unclosed_quote(broken, closing):
    good = [row(f"Band {number}") for number in range(30)]
    reading = read(csv_of(row("First"), broken, *good, *filter(None, [closing]), row("Last")))
    assert {"First", "Last", *(f"Band {number}" for number in range(30))} <= set(reading.names)
    assert reading.rejections[0].line == 3
    assert reading.rejections[0].original == broken
    assert "unclosed quote" in reading.rejections[0].reason


def test_a_quoted_cell_is_not_believed_where_it_would_swallow_a_row():
    """Both quotes are in the Stage, so that strictly this is one row of six cells."""
    reading = read(csv_of(row(stage='"Main'), row("Pulp"), row("Blur", stage='Main"'), row("Gus")))
    assert reading.names == ["Pulp", "Blur", "Gus"]
    assert [each.line for each in reading.rejections] == [2]


@pytest.mark.parametrize("at", range(4))
def test_wherever_a_row_stands_within_a_name_of_many_lines_it_is_not_swallowed(at):
    """Strictly these lines are one row of six cells, whose name has line breaks."""
    inner = ["of", "many", "words"]
    inner.insert(at, row("Pulp"))
    reading = read(csv_of('"The', *inner, row('Band"'), row("Last")))
    assert {"Pulp", "Last"} <= set(reading.names)
    assert (reading.rejections[0].line, reading.rejections[0].original) == (2, '"The')


def test_a_line_that_is_no_text_ends_the_quoted_name_before_it():
    body = csv_of('"Sigur', "?", row('Rós"'), row("Pulp")).encode().replace(b"?", b"\x81\x8d")
    reading = read(body)
    assert reading.names == ['Rós"', "Pulp"]
    assert [(each.line, each.reason[:11]) for each in reading.rejections] == [
        (2, "has an uncl"),
        (3, "is neither "),
    ]


@pytest.mark.parametrize("column", range(6))
@pytest.mark.parametrize("limits", [Limits(), Limits(block_rows=1, block_bytes=40)])
def test_a_quote_that_the_very_next_row_seems_to_close_does_not_swallow_that_row(column, limits):
    """Both rows have a quote in one column: an opening one, and one after the text."""
    opened, closed = row("Open").split(","), row("Pulp", popularity="7").split(",")
    opened[column], closed[column] = '"' + opened[column], closed[column] + '"'
    reading = read(
        csv_of(row("First"), *map(",".join, (opened, closed)), row("Last")), limits=limits
    )
    lines = [each.line for each in (*reading.performances, *reading.rejections)]
    assert sorted(lines) == [2, 3, 4, 5]
    assert {"First", "Last"} <= set(reading.names)


@pytest.mark.parametrize("block_rows", [1, 3, 1000])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_lines_after_quoted_line_breaks_are_the_files_real_ones_in_every_block(block_rows, end):
    names = [
        f'"Band{end}{number}{end}of many"' if number % 7 else f"Solo {number}"
        for number in range(400)
    ]
    text, real = HEADER + end, []
    for number, name in enumerate(names):
        real.append(text.count("\n") + 1)
        text += row(name, start="TBA" if number % 5 == 0 else "20:00") + end
    reading = read(text, 999, limits=Limits(block_rows=block_rows, block_bytes=300))
    assert len(reading.blocks) > 2 or block_rows == 1000
    found = [each.line for each in (*reading.performances, *reading.rejections)]
    assert sorted(found) == real
    assert [each.line for each in reading.rejections] == real[::5]


def test_a_quoted_cell_is_not_believed_where_its_row_lacks_cells():
    reading = read(csv_of('"Open', 'shut",Main', row("Pulp")))
    assert [(each.line, each.reason[:15]) for each in reading.rejections] == [
        (2, "has an unclosed"),
        (3, "is blank; expec"),
    ]


def test_a_long_text_over_many_lines_in_a_column_nobody_needs_is_believed():
    story = "\n".join(f'Line {number}, with ""quotes"", commas' for number in range(200))
    text = csv_of(row() + f',"{story}"', row("Pulp") + ",", header=HEADER + ",Story")
    assert read(text).names == ["Abba", "Pulp"]


def test_a_record_over_more_lines_than_the_limit_is_an_unclosed_quote():
    text = csv_of(row('"A\nB\nC\nD"'), row("Pulp"))
    assert read(text, limits=Limits(record_lines=4)).names == ["A B C D", "Pulp"]
    reading = read(text, limits=Limits(record_lines=3))
    assert reading.names == ['D"', "Pulp"]
    assert [each.line for each in reading.rejections] == [2, 3, 4]


@pytest.mark.parametrize("size", [7, 100, 1 << 20])
def test_a_line_over_the_limit_is_refused_at_its_line_and_reading_goes_on(size):
    text = csv_of(row(), row("x" * 5_000), row("Pulp"), row("y" * 900), row("Blur"))
    reading = read(text, size, limits=Limits(record_bytes=1_000, block_bytes=600))
    assert reading.names == ["Abba", "Pulp", "y" * 900, "Blur"]
    assert [each.line for each in reading.rejections] == [3]
    assert "1,000 bytes" in reading.rejections[0].reason


def test_a_process_with_a_small_csv_field_limit_reads_the_same():
    text = csv_of(row('"' + "x" * 3_000 + '"'), row('"Pulp"'))
    before = csv.field_size_limit(1_000)
    try:
        assert read(text).names == ["x" * 3_000, "Pulp"]
    finally:
        csv.field_size_limit(before)


def test_ten_thousand_columns_are_no_trouble():
    names = ",".join(f"c{number}" for number in range(10_000))
    text = csv_of(row() + "," * 10_000, ",".join("x" * 20_000), header=f"{HEADER},{names}")
    reading = read(text)
    assert reading.names == ["Abba"]
    assert [each.line for each in reading.rejections] == [3]


@pytest.mark.parametrize("hostile", ['a","', '"', 'x,"a', '","', '""",""', 'a"",""",'])
def test_no_hostile_line_is_looked_at_more_often_than_the_header_has_cells(hostile):
    """Else a file whose every line opens a quote would take the square of its length."""
    looks = 0

    class Watched(list[str]):
        def __getitem__(self, index):
            nonlocal looks
            looks += isinstance(index, int)
            return super().__getitem__(index)

    lines, width = Watched([hostile] * 500), 6
    resolver = QuoteResolver(",", width, lambda cells: False, Limits(record_lines=400))
    begin = 0
    while begin < len(lines):
        begin += resolver.resolve(lines, begin, len(lines), final=True).lines
    assert looks <= len(lines) * 6 * (width + 1)


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_every_line_end_is_a_line_end_and_a_line_separator_is_none(ending):
    text = csv_of(row("Ab\u2028ba"), "", row('"The\nBand"'), row("Pulp"))
    reading = read(text.replace("\n", ending))
    assert reading.names == ["Ab ba", "The Band", "Pulp"]
    assert [each.line for each in reading.performances] == [2, 4, 6]


def test_a_last_line_without_an_end_is_a_row():
    assert read(csv_of(row(), row("Pulp")).rstrip()).names == ["Abba", "Pulp"]


def test_a_header_without_a_row_is_no_lineup():
    assert "has no row" in read(HEADER + "\n").error
    assert "has no row" in read(HEADER + "\n,,,,\n\n").error


def test_corrected_rows_are_read_as_they_stood_before_the_kit_guarded_them():
    header = HEADER + ",rejected_from,line,reason"
    rows = row("'=SUM(A1)") + ",b/k.csv,7,is bad", row("''t Hooft") + ",b/k.csv,8,x"
    reading = read(csv_of(*rows, header=header))
    assert reading.names == ["=SUM(A1)", "'t Hooft"]
    assert reading.warnings == []
    [again] = read(csv_of(row("'=x", start="TBA") + ",b,1,r", header=header)).rejections
    cells = row("=x", start="TBA").split(",")
    assert again.original == dict(zip(HEADER.split(","), cells, strict=True))
