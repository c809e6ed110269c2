"""DataFrames as tables that are read by people: text left, figures right, units in the heads."""

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
# A long table scrolls in a box of its own, under its heads; on paper it is whole.
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


def number(value: float) -> str:
    """A figure with as many digits as say something.

    >>> number(300_000), number(13.2807), number(0.00001666667)
    ('300,000', '13.28', '0.00001667')
    """
    if not math.isfinite(value) or value == 0:
        return f"{value:.0f}"
    if abs(value) >= 1:
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.2f}"
    # Below 1 four significant digits, and never an exponent.
    digits = 3 - math.floor(math.log10(abs(value)))
    return f"{value:.{digits}f}".rstrip("0").rstrip(".")


def dollars(value: float) -> str:
    """Money with two digits after the point, or with four if there is less than a cent of it.

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
    """A share of 1 as a percentage without its sign.

    >>> percent(0.1234)
    '12.3'
    """
    return f"{100 * share:.1f}"


# How a column of a certain name is headed and written; other columns by their type.
BY_NAME: dict[str, tuple[str, Callable[[Any], str]]] = {
    "Minutes": ("Length (h:mm)", hours_and_minutes),
    "minutes later": ("later by (h:mm)", hours_and_minutes),
    "dollars": ("US dollars", dollars),
    "dollars a day": ("US dollars a day", dollars),
    "README from": ("README from ($)", dollars),
    "README to": ("README to ($)", dollars),
    "work": ("work ($)", dollars),
    "standing stack": ("standing stack ($)", dollars),
    "together": ("together ($)", dollars),
    "share": ("share (%)", percent),
}


def html_table(frame: pd.DataFrame) -> str:
    """The frame as an HTML table; of more than two hundred rows the first, and how many more.

    Next to a column `Date`, `Start` and `End` are times only. Columns that `frame.attrs["total"]`
    names have their total in a last row.
    """
    shown = frame.head(MOST_ROWS)
    if not isinstance(frame.index, pd.RangeIndex):
        shown = shown.reset_index()
    columns = [_column(shown, place) for place in range(shown.shape[1])]
    heads = "".join(f"<th{kind}>{escape(head)}</th>" for head, kind, _ in columns)
    rows = zip(*(cells for _, _, cells in columns), strict=True)
    kinds = [kind for _, kind, _ in columns]
    body = "".join(_row(kinds, row) for row in rows)
    if (totals := frame.attrs.get(TOTAL)) and len(frame) > 1:
        body += _row(kinds, _totals(frame, list(shown.columns), totals), ' class="sum"')
    more = len(frame) - len(shown)
    note = f"<p>and {counted(more, 'more row')}</p>" if more else ""
    note = note or ("" if len(frame) else "<p>none</p>")
    return (
        f'{STYLE}<div class="ft-box tex2jax_ignore mathjax_ignore"><table class="ft">'
        f"<thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>{note}</div>"
    )


def _row(kinds: list[str], cells: Any, kind: str = "") -> str:
    # A cell's own markup comes from this package; everything else is escaped.
    cells = "".join(f"<td{k}>{text}</td>" for k, text in zip(kinds, cells, strict=True))
    return f"<tr{kind}>{cells}</tr>"


def _column(frame: pd.DataFrame, place: int) -> tuple[str, str, list[str]]:
    """A column's head, its class, and its cells."""
    values, name = frame.iloc[:, place], str(frame.columns[place])
    if name in BY_NAME:
        head, write = BY_NAME[name]
        return head, ' class="n"', _written(values, write)
    if types.is_bool_dtype(values):
        return name, "", _written(values, lambda value: "yes" if value else "no")
    if types.is_numeric_dtype(values):
        whole = types.is_integer_dtype(values)
        return name, ' class="n"', _written(values, "{:,}".format if whole else number)
    if types.is_datetime64_any_dtype(values):
        return name, ' class="k"', _moments(frame, values, name)
    return name, "", _written(values, str)


def _moments(frame: pd.DataFrame, values: "pd.Series[Any]", name: str) -> list[str]:
    """Days with their weekday; times alone if an earlier column of the row has the day."""
    if "Date" in frame and name in ("Start", "End"):
        return _written(values, TIME.format)
    known = values.dropna()
    if (known == known.dt.normalize()).all():
        return _written(values, DAY.format)
    first = frame.iloc[:, list(frame.dtypes).index(values.dtype)]
    named = ((values - first).abs() < pd.Timedelta(days=1)) & (name != first.name)
    whole, times = _written(values, MOMENT.format), _written(values, TIME.format)
    return [short if one else long for one, short, long in zip(named, times, whole, strict=True)]


def _written(values: "pd.Series[Any]", write: Callable[[Any], str]) -> list[str]:
    return ["" if _is_missing(value) else escape(write(value)) for value in values]


def _is_missing(value: Any) -> bool:
    return value is None or (not isinstance(value, list | tuple | dict) and bool(pd.isna(value)))


def _totals(frame: pd.DataFrame, columns: list[Any], totals: Any) -> list[str]:
    written = [
        BY_NAME.get(str(name), ("", number))[1](frame[name].sum()) if name in totals else ""
        for name in columns
    ]
    return ["total" if not number and not text else text for number, text in enumerate(written)]
