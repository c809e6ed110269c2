"""Prepares values for messages: on one line, printable, short, and with the right plural."""


def printable(text: str) -> str:
    """The text on one line, with control characters and lone surrogates as escapes.

    >>> printable("two\\nlines")
    'two\\\\nlines'
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def shortened(text: str, length: int, dots: str = "…") -> str:
    """The text in at most `length` characters: the middle is cut out, both ends stay.

    >>> shortened("uploads/2025/lantern-fields.csv", 17)
    'uploads/…elds.csv'
    """
    if len(text) <= length:
        return text
    room = length - len(dots)
    return text[: room // 2] + dots + text[len(text) - (room - room // 2) :]


def one_line(value: object, length: int) -> str:
    """The value as text, printable and shortened."""
    return shortened(printable(str(value)), length)


def counted(number: int, noun: str) -> str:
    """A number and its noun, singular or plural.

    >>> counted(1, "row"), counted(2000, "row")
    ('1 row', '2,000 rows')
    """
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
