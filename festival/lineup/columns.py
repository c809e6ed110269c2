"""Which column is which field: names are matched, and where two match it is said, not guessed."""

from collections.abc import Sequence
from dataclasses import dataclass

from festival.errors import LineupError
from festival.lineup.mapping import Mapping
from festival.lineup.values import clean, shown

FIELDS = ("Performer", "Stage", "Date", "Start", "End", "Popularity")
REQUIRED = FIELDS[:5]

ALIASES = {
    "Performer": "performer name, artist, artists, artist name, act, act name, band, band name, "
    "title, name, event/artist, groupe, artiste, artista, artiest, kunstner, künstler, interpret",
    "Stage": "stage name, venue, venue name, location, scene, scène, bühne, escenario, palco, "
    "podium",
    "Date": "day, datum, jour, tag, fecha, dag",
    "Start": "start time, starts, starts at, from, begin, begin time, début, beginn, time start",
    "End": "end time, ends, ends at, finish, finish time, to, until, till, fin, ende, time end",
    "Popularity": "",
}


@dataclass(frozen=True, slots=True)
class Columns:
    """For each of the six fields the index of its column, or None; the others are ignored."""

    places: tuple[int | None, ...]
    ignored: tuple[str, ...]

    @property
    def missing(self) -> tuple[str, ...]:
        """The fields a lineup needs that no column gives."""
        return tuple(
            field for field, place in zip(REQUIRED, self.places, strict=False) if place is None
        )


def fold(name: str) -> str:
    """A column's name without case, spaces, underscores and hyphens."""
    return clean(name).casefold().translate(_UNIMPORTANT)


def match(names: Sequence[str], mapping: Mapping) -> Columns:
    """Find each field's column: as the mapping says, else by the field's name, else by an alias.

    Raises LineupError where two columns match one field, and where a column that the mapping
    names is not there.
    """
    folded = [fold(name) for name in names]
    places = tuple(_place(field, names, folded) for field in FIELDS)
    ignored = (name for index, name in enumerate(names) if index not in places)
    return Columns(places, tuple(name for name in ignored if fold(name)))


def _place(field: str, names: Sequence[str], folded: Sequence[str]) -> int | None:
    for wanted in ({fold(field)}, _FOLDED_ALIASES[field]):
        found = [index for index, name in enumerate(folded) if name in wanted]
        if len(found) > 1:
            both = " and ".join(f"'{shown(names[index])}'" for index in found)
            raise LineupError(
                f"the columns {both} are each the {field}; expected one: "
                "rename the other, or say which with a mapping's columns"
            )
        if found:
            return found[0]
    return None


_UNIMPORTANT = str.maketrans("", "", " _-")
_FOLDED_ALIASES = {
    field: {fold(alias) for alias in aliases.split(",")} - {""}
    for field, aliases in ALIASES.items()
}
