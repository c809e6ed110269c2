"""Festival lineups from a file in S3 to answers in a notebook.

    import festival

    table = festival.connect()                     # the stack's table, or connect("name")
    table.performer("Megan Thee Stallion")         # every answer is a DataFrame
    lineup = festival.read("lineup.csv")           # .performances .rejections .report

Each name is loaded when it is first used, so that importing the package, and the Lambda function
that is a part of it, loads nothing more.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from festival.analysis.changes import compare
    from festival.analysis.charts import heat_map, popularity
    from festival.analysis.lineups import Lineup, clashes, read
    from festival.analysis.table import LineupTable, NothingFoundWarning, explain
    from festival.analysis.timeline import timeline
    from festival.errors import FestivalError
    from festival.kit import connect

_PLACES = {
    "connect": "festival.kit",
    "LineupTable": "festival.analysis.table",
    "NothingFoundWarning": "festival.analysis.table",
    "explain": "festival.analysis.table",
    "read": "festival.analysis.lineups",
    "Lineup": "festival.analysis.lineups",
    "clashes": "festival.analysis.lineups",
    "compare": "festival.analysis.changes",
    "timeline": "festival.analysis.timeline",
    "heat_map": "festival.analysis.charts",
    "popularity": "festival.analysis.charts",
    "FestivalError": "festival.errors",
}

__all__ = [
    "FestivalError",
    "Lineup",
    "LineupTable",
    "NothingFoundWarning",
    "clashes",
    "compare",
    "connect",
    "explain",
    "heat_map",
    "popularity",
    "read",
    "timeline",
]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'festival' has no attribute '{name}'")
    found = getattr(import_module(_PLACES[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return __all__
