"""Finds the names in the table that are nearest to a name as a person wrote it."""

import re
from collections.abc import Iterable
from difflib import get_close_matches

from festival.lineup.columns import unaccented

# Three letters are in too many names for every name that contains them to count as near.
SHORTEST_PART = 4


def plain(name: str) -> str:
    """The name without case, accents, punctuation and a leading `the`; `&` and `+` as `and`.

    >>> plain("The Beyoncé & Jay-Z")
    'beyonceandjayz'
    """
    words = words_of(re.sub("[&+]", " and ", name)) or [name]
    return "".join(words[1:] if words[:1] == ["the"] and len(words) > 1 else words)


def words_of(name: str) -> list[str]:
    """A name's words, in lower case without accents."""
    return re.findall(r"\w+", unaccented(name.casefold()))


def nearest(name: str, names: Iterable[str], most: int = 3) -> list[str]:
    """The names that a person who wrote `name` may have meant, likeliest first.

    First those that differ only in case, accents and punctuation, then those that contain it or are
    contained in it, then those that differ by a few letters.

    >>> nearest("megan the stalion", ["Megan Thee Stallion", "Meghan Trainor", "Elbow"])
    ['Megan Thee Stallion']
    """
    wanted = plain(name)
    by_plain: dict[str, list[str]] = {}
    for each in names:
        by_plain.setdefault(plain(each), []).append(each)
    parts = [one for one in by_plain if one != wanted and _contains(one, wanted)]
    close = get_close_matches(wanted, by_plain, n=most, cutoff=0.7)
    ranked = dict.fromkeys([*([wanted] if wanted in by_plain else []), *sorted(parts, key=len)])
    return [each for one in dict.fromkeys([*ranked, *close]) for each in by_plain[one]][:most]


def matching(text: str, names: Iterable[str]) -> list[str]:
    """The names that contain the text, in order, ignoring case, accents and punctuation.

    >>> matching("MEG", ["Megan Thee Stallion", "Elbow"])
    ['Megan Thee Stallion']
    """
    wanted = "".join(words_of(text)) or text
    return sorted(
        (name for name in names if wanted in "".join(words_of(name)) or text in name),
        key=str.casefold,
    )


def suggestion(name: str, names: Iterable[str]) -> str:
    """`did you mean …?` with the nearest names as they are spelled, or ''."""
    quoted = [f"'{each}'" for each in nearest(name, names)]
    return f"did you mean {' or '.join(quoted)}?" if quoted else ""


def none_contains(text: str, names: Iterable[str]) -> str:
    """The message that no performer's name contains the text, with the nearest names.

    >>> none_contains("meghan", ["Megan Thee Stallion", "Megan"])
    "no performer contains 'meghan'; did you mean 'Megan'?"
    """
    return f"no performer contains '{text}'; {suggestion(text, names)}".rstrip("; ")


def _contains(one: str, other: str) -> bool:
    short, long = sorted((one, other), key=len)
    return len(short) >= SHORTEST_PART and short in long
