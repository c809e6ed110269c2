"""DataFrames as HTML tables: text to the left, numbers to the right, units in the headings."""

import math
from collections.abc import Callable
from html import escape
from typing import Any

import pandas as pd
from pandas.api import types

from festival.text import counted

MOST_ROWS = 200
TOTAL = "total"
DAY, TIME, MOMENT = "{:%a %Y-%m-%d}", "{:%H:%M}", "{:%a %Y-%m-%d %H:%M}"
# A long table scrolls in its own box, below its headings; printed, it is shown in full.
STYLE = (
    "<style>.ft-box{overflow:auto;max-height:70vh;margin:4px 0}table.ft{border-collapse:collapse}"
    "table.ft th,table.ft td{text-align:left!important;vertical-align:top;white-space:pre-line;"
    "padding:3px 10px 3px 4px;max-width:60ch;overflow-wrap:break-word;"
    "border-bottom:1px solid #8884}table.ft .n{text-align:right!important;white-space:nowrap;"
    "font-variant-numeric:tabular-nums}table.ft .k{white-space:nowrap}"
    "table.ft thead th{position:sticky;top:0;background:var(--jp-layout-color0,Canvas)}"
    "table.ft tr.sum td{font-weight:700;border-top:2px solid #8888;position:sticky;bottom:0;"
    "background:var(--jp-layout-color0,Canvas)}"
    "@media print{.ft-box{max-height:none}}</style>"
)


def decimal(value: float) -> str:
    """A number rounded to the digits that matter.

    >>> decimal(300_000), decimal(13.2807), decimal(0.00001666667)
    ('300,000', '13.28', '0.00001667')
    """
    if not math.isfinite(value) or value == 0:
        return f"{value:.0f}"
    if abs(value) >= 1:
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.2f}"
    # Below 1: four significant digits, and never an exponent.
    digits = 3 - math.floor(math.log10(abs(value)))
    return f"{value:.{digits}f}".rstrip("0").rstrip(".")


def dollars(value: float) -> str:
    """Dollars with two digits after the point, or with four if it is less than a cent.

    >>> dollars(1234.5), dollars(0.0123), dollars(0.00061), dollars(0.00001)
    ('1,234.50', '0.01', '0.0006', 'under 0.0001')
    """
    if 0 < abs(value) < 0.00005:
        return "under 0.0001"
    return f"{value:,.2f}" if abs(value) >= 0.01 or value == 0 else f"{value:.4f}"


def hours_and_minutes(minutes: float) -> str:
    """Minutes as `h:mm`.

    >>> hours_and_minutes(75), hours_and_minutes(-5)
    ('1:15', '-0:05')
    """
    sign, whole = "-" if minutes < 0 else "", abs(int(minutes))
    return f"{sign}{whole // 60}:{whole % 60:02d}"


def percent(share: float) -> str:
    """A fraction as a percentage, without the sign.

    >>> percent(0.1234)
    '12.3'
    """
    return f"{100 * share:.1f}"


# The heading and the format of columns with these names; others are formatted by their type.
BY_NAME: dict[str, tuple[str, Callable[[Any], str]]] = {
    "Minutes": ("Length (h:mm)", hours_and_minutes),
    "minutes later": ("later by (h:mm)", hours_and_minutes),
    "dollars": ("US dollars", dollars),
    "dollars a day": ("US dollars a day", dollars),
    "README from": ("README from ($)", dollars),
    "README to": ("README to ($)", dollars),
    "work": ("work ($)", dollars),
    "idle stack": ("idle stack ($)", dollars),
    "total": ("total ($)", dollars),
    "share": ("share (%)", percent),
}


def html_table(frame: pd.DataFrame) -> str:
    """The frame as an HTML table: its first two hundred rows, and how many more there are.

    Beside a column `Date`, `Start` and `End` are shown as times only. Columns named in
    `frame.attrs["total"]` get their total in a last row.
    """
    head = frame.head(MOST_ROWS)
    if not isinstance(frame.index, pd.RangeIndex):
        head = head.reset_index()
    columns = [_column(head, number) for number in range(head.shape[1])]
    headings = "".join(f"<th{kind}>{escape(heading)}</th>" for heading, kind, _ in columns)
    rows = zip(*(cells for _, _, cells in columns), strict=True)
    kinds = [kind for _, kind, _ in columns]
    body = "".join(_row(kinds, row) for row in rows)
    if (totals := frame.attrs.get(TOTAL)) and len(frame) > 1:
        body += _row(kinds, _totals(frame, list(head.columns), totals), ' class="sum"')
    more = len(frame) - len(head)
    note = f"<p>and {counted(more, 'more row')}</p>" if more else ""
    note = note or ("" if len(frame) else "<p>none</p>")
    return (
        f'{STYLE}<div class="ft-box tex2jax_ignore mathjax_ignore"><table class="ft">'
        f"<thead><tr>{headings}</tr></thead><tbody>{body}</tbody></table>{note}</div>"
    )


def _row(kinds: list[str], cells: Any, kind: str = "") -> str:
    # A cell's own markup comes from this package; everything else is escaped.
    cells = "".join(f"<td{k}>{text}</td>" for k, text in zip(kinds, cells, strict=True))
    return f"<tr{kind}>{cells}</tr>"


def _column(frame: pd.DataFrame, number: int) -> tuple[str, str, list[str]]:
    """A column's heading, its CSS class, and its cells."""
    values, name = frame.iloc[:, number], str(frame.columns[number])
    if name in BY_NAME:
        heading, write = BY_NAME[name]
        return heading, ' class="n"', _format(values, write)
    if types.is_bool_dtype(values):
        return name, "", _format(values, lambda value: "yes" if value else "no")
    if types.is_numeric_dtype(values):
        is_whole = types.is_integer_dtype(values)
        return name, ' class="n"', _format(values, "{:,}".format if is_whole else decimal)
    if types.is_datetime64_any_dtype(values):
        return name, ' class="k"', _moments(frame, values, name)
    return name, "", _format(values, str)


def _moments(frame: pd.DataFrame, values: "pd.Series[Any]", name: str) -> list[str]:
    """Days with their weekday; only times if an earlier column of the row shows the day."""
    if "Date" in frame and name in ("Start", "End"):
        return _format(values, TIME.format)
    known = values.dropna()
    if (known == known.dt.normalize()).all():
        return _format(values, DAY.format)
    first = frame.iloc[:, list(frame.dtypes).index(values.dtype)]
    same_day = ((values - first).abs() < pd.Timedelta(days=1)) & (name != first.name)
    moments, times = _format(values, MOMENT.format), _format(values, TIME.format)
    return [
        time if same else moment
        for same, time, moment in zip(same_day, times, moments, strict=True)
    ]


def _format(values: "pd.Series[Any]", write: Callable[[Any], str]) -> list[str]:
    return ["" if _is_missing(value) else escape(write(value)) for value in values]


def _is_missing(value: Any) -> bool:
    return value is None or (not isinstance(value, list | tuple | dict) and bool(pd.isna(value)))


def _totals(frame: pd.DataFrame, columns: list[Any], totals: Any) -> list[str]:
    cells = [
        BY_NAME.get(str(name), ("", decimal))[1](frame[name].sum()) if name in totals else ""
        for name in columns
    ]
    return [cells[0] or "total", *cells[1:]]
