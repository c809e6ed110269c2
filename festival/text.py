"""How a value is put into a sentence: on one line, printable, no longer than its place."""


def printable(text: str) -> str:
    """The text on one line: control characters and half surrogate pairs as escapes.

    >>> printable("two\\nlines")
    'two\\\\nlines'
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def shortened(text: str, length: int, dots: str = "…") -> str:
    """The text in at most `length` characters: its middle gives way, its ends stay.

    >>> shortened("uploads/2025/lantern-fields.csv", 17)
    'uploads/…elds.csv'
    """
    if len(text) <= length:
        return text
    kept = length - len(dots)
    return text[: kept // 2] + dots + text[len(text) - (kept - kept // 2) :]


def one_line(value: object, length: int) -> str:
    """The value printable and shortened."""
    return shortened(printable(str(value)), length)


def counted(number: int, noun: str) -> str:
    """A number with its noun.

    >>> counted(1, "row"), counted(2000, "row")
    ('1 row', '2,000 rows')
    """
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
