"""Recognizes files of other kinds by their first text, and says how to get a lineup from them.

Used, and loaded, only if a file cannot be read as a lineup.
"""

import re

_COMMENTS = r"(?://[^\n]*\n|/\*.*?\*/|\s)*"
_KINDS = (
    (
        re.compile(r"BEGIN:VCALENDAR", re.IGNORECASE),
        "an iCalendar file; only festival check, normalize and ingest on a person's machine read "
        "it, with the library icalendar: upload the output of festival normalize",
    ),
    (
        re.compile(r"<!doctype html|<html|<table|<head|<div|<body", re.IGNORECASE),
        "a web page; expected its table saved as CSV: copy it into a spreadsheet, and save that",
    ),
    (
        re.compile(r"<\?xml[^>]*>\s*(?:<!--.*?-->\s*)*<schedule", re.IGNORECASE | re.DOTALL),
        "a schedule in XML, as pretalx and frab export it; expected its JSON or CSV export",
    ),
    (
        re.compile(r"<\?xml|<[a-z][\w:-]*[\s>]", re.IGNORECASE),
        "XML; expected its rows as CSV or as JSON",
    ),
    (
        re.compile(
            _COMMENTS + r"(?:#\s*(?:ifndef|pragma|include|define)\b|"
            r"(?:typedef\s+)?struct\s*\w*\s*\{|[\w\s*]+\w+\s*\[[\w\s]*\](?:\[[\w\s]*\])*\s*=)",
            re.DOTALL,
        ),
        "source code in C; expected only its rows: keep what is between the outer { and }, one row "
        "a line without its braces, below a header row, as CSV",
    ),
    (
        re.compile(
            _COMMENTS + r"(?:['\"]use strict['\"];?\s*)?"
            r"(?:export\s+(?:default|const|let|var)\b|import\s.*\bfrom\s*['\"]|function\s+\w*\s*\(|"
            r"(?:(?:const|let|var)\s+)?[\w$.]+\s*=\s*[\[{]|[\w$.]+\s*\(\s*[\[{])",
            re.DOTALL,
        ),
        "JavaScript; expected only the list in it: keep what is from its [ to the matching ], "
        "with every key and text in double quotes, as JSON",
    ),
    (
        re.compile(r"package \w+\s*\n|(?:from\s+\S+\s+)?import\s+\S+\s*\n|(?:public )?class \w+"),
        "the source code of a program; expected only its rows, below a header as CSV, or as JSON",
    ),
    (
        re.compile(r"---\s*\n|[\w-]+:\s*\n\s*-\s|-\s+[\w-]+:\s"),
        "YAML; expected its rows as CSV or as JSON",
    ),
    (
        re.compile(
            r"(?:--[^\n]*\n|/\*.*?\*/|\s)*(?:(?:CREATE|DROP) TABLE|INSERT INTO|SET \w+ *=)", re.I
        ),
        "SQL; expected the table's rows as CSV",
    ),
    (
        re.compile(r"#+ \w|\|? ?:?-{3,}"),
        "Markdown; expected its table as CSV",
    ),
)


def other_kind(text: str) -> str:
    """What a file is, if not a lineup, and what to do; empty if its beginning does not show it.

    >>> other_kind("var lineup = [{}]").partition(";")[0]
    'JavaScript'
    """
    head = text.lstrip("\ufeff \t\r\n")
    return next((what for begins, what in _KINDS if begins.match(head)), "")
