"""Festival lineups from a file in S3 to answers in a notebook.

    import festival

    table = festival.connect()                     # the stack's table, or connect("name")
    table.performer("Megan Thee Stallion")         # every answer is a DataFrame
    lineup = festival.read("lineup.csv")           # .performances .rejections .report

Each name is imported when it is first used, so importing the package loads nothing else. The Lambda
function, which is part of the package, depends on that.
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

_MODULES = {
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
    if name not in _MODULES:
        raise AttributeError(f"module 'festival' has no attribute '{name}'")
    value = getattr(import_module(_MODULES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
