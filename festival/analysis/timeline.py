"""The timeline of a lineup: a grid for each day, to show in a notebook, save or print.

The page needs no script and no network. Text is in the reader's own fonts, so names in any script
are shown. `grid.py` makes the layout, `shapes.py` the look.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html import escape
from itertools import islice
from pathlib import Path
from zlib import crc32

from festival.analysis.findings import Finding, find_all
from festival.analysis.frames import NEEDED, performances_of
from festival.analysis.grid import LINEUP, NAME_SIZE, Card, DayGrid, day_grids
from festival.analysis.lineups import Performances, as_performances
from festival.analysis.shapes import (
    HEADER,
    LETTERINGS,
    LOOKS,
    STAGE_WIDTH,
    SWATCH_HEIGHT,
    SWATCH_WIDTH,
    Rect,
    Shape,
    card_shapes,
    clock_shapes,
    day_name,
    day_title,
    legend,
    line_shapes,
    sheet,
    swatch,
)
from festival.errors import FestivalError
from festival.lineup.model import Performance, wall_clock
from festival.text import counted

SUFFIXES = (".html", ".svg", ".png", ".pdf")
FONT = "system-ui,-apple-system,'Segoe UI',Roboto,'Noto Sans','DejaVu Sans',sans-serif"
MOST_LISTED = 200
# The width of an A3 page in landscape, less margins, in CSS pixels.
PRINTED_WIDTH = 1500

_LIGHT = "--ink:#1b1b1b;--quiet:#595959;--paper:#fff;--rule:#ccc"
_DARK = "--ink:#eee;--quiet:#b5b5b5;--paper:#111;--rule:#444"
_PAGE_STYLE = f"""
.fl{{{_LIGHT};color:var(--ink);background:var(--paper);font:13px/1.35 {FONT};text-align:left}}
body[data-jp-theme-light=false] .fl,.vscode-dark .fl{{{_DARK}}}
.fl h3{{font-size:15px;margin:14px 0 6px;color:var(--ink)}}
.fl p,.fl nav{{margin:4px 0}}.fl a{{color:inherit}}
.fl .key span{{display:inline-block;margin:0 12px 4px 0;white-space:nowrap}}
.fl svg{{display:block;max-width:none}}
.fl .key svg{{display:inline-block;vertical-align:-3px;margin-right:4px}}
.fl .box{{overflow:auto;max-height:85vh;border:1px solid var(--rule);position:relative}}
.fl .row{{display:flex;width:max-content}}
.fl .clock{{position:sticky;top:0;z-index:2;background:var(--paper);
border-bottom:1px solid var(--rule)}}
.fl .clock text{{fill:var(--ink)}}
.fl .col{{position:sticky;left:0;z-index:1;background:var(--paper);flex:none;
width:clamp(84px,24vw,150px);border-right:1px solid var(--rule)}}
.fl .col div{{box-sizing:border-box;padding:4px;font-size:{NAME_SIZE}px;line-height:14px;
font-weight:600;border-bottom:1px solid var(--rule);overflow:hidden;overflow-wrap:anywhere}}
.fl .col .corner{{border:0;font-weight:400;color:var(--quiet)}}
.fl details{{margin:6px 0}}.fl li{{margin:2px 0}}
.fl :target rect{{stroke-width:5}}
@media print{{.fl{{{_LIGHT}}}.fl .box{{overflow:visible;max-height:none;border:0;zoom:var(--fit)}}
.fl .clock,.fl .col{{position:static}}.fl section{{break-after:page}}.fl nav{{display:none}}
.fl *{{print-color-adjust:exact;-webkit-print-color-adjust:exact}}}}
"""
# Only a saved page follows the reader's system; inside a notebook, the notebook's theme counts.
_OWN_PAGE = f"""
@page{{size:A3 landscape;margin:10mm}}body{{margin:0;background:#fff}}.fl{{padding:12px}}
@media screen and (prefers-color-scheme:dark){{body{{background:#111}}.fl{{{_DARK}}}}}
"""


@dataclass(frozen=True, slots=True, repr=False)
class Timeline:
    """A grid for each day of a lineup. A notebook shows it; `save` writes it to a file.

    Each day has its own scrolling box, in which the stage names and the clock stay in view.
    """

    days: tuple[DayGrid, ...]

    def __repr__(self) -> str:
        stages = {stage.name for day in self.days for stage in day.stages}
        rows = sum(1 for day in self.days for _ in day.cards)
        return (
            f"Timeline of {counted(rows, 'performance')}, {counted(len(stages), 'stage')}, "
            f"{counted(len(self.days), 'day')}"
        )

    def _repr_html_(self) -> str:
        # The classes keep JupyterLab from typesetting text between two dollar signs as a formula.
        return f'<div class="fl tex2jax_ignore mathjax_ignore">{_style(".fl ")}{self._body()}</div>'

    def html(self) -> str:
        """A complete page, light or dark like the reader's system, ready to print."""
        return (
            '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width,initial-scale=1">'
            f"<title>{self}</title>{_style('.fl ')}<style>{_OWN_PAGE}</style></head>"
            f'<body><div class="fl">{self._body()}</div></body></html>'
        )

    def svg(self) -> str:
        """All days as one drawing, one below another, with a legend and stage names."""
        shapes, width, height = sheet(self.days)
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
            f'viewBox="0 0 {width:.0f} {height:.0f}">{_style("")}'
            f'<rect width="100%" height="100%" fill="#fff"/>{_svg(shapes)}</svg>'
        )

    def save(self, path: str | Path) -> Path:
        """Write it in the format of the name's ending: `.html`, `.svg`, `.png` or `.pdf`.

        A PDF has a page for each day. HTML and SVG show any script. PNG and PDF use this machine's
        fonts, and a warning lists letters that none of them has. Raises FestivalError for another
        ending, and for a file that cannot be written.
        """
        target = Path(path)
        kind = target.suffix.lower()
        if kind not in SUFFIXES:
            raise FestivalError(
                f"timeline {str(target)!r}: expected a name that ends in {', '.join(SUFFIXES)}"
            )
        try:
            if kind in (".png", ".pdf"):
                from festival.analysis import prints  # matplotlib is slow to load

                prints.save(self.days, target)
            else:
                target.write_text(self.svg() if kind == ".svg" else self.html(), encoding="utf-8")
        except OSError as error:
            raise FestivalError(f"{target} cannot be written: {error.strerror}") from None
        return target

    def _body(self) -> str:
        if not self.days:
            return "<p>no performance</p>"
        # A page may have several timelines, each with its own links.
        rows = [card.row for day in self.days for card in day.cards]
        prefix = f"d{crc32(repr(rows).encode()):08x}"
        names = [f"{prefix}{number}" for number in range(len(self.days))]
        links = " · ".join(
            f'<a href="#{name}">{day_name(day)}</a>'
            for day, name in zip(self.days, names, strict=True)
        )
        days = map(_section, self.days, names)
        return f"{_key(self)}{f'<nav>{links}</nav>' if names[1:] else ''}{''.join(days)}"


def timeline(
    answer: Performances | list[Performance],
    findings: Iterable[Finding] | None = None,
    *,
    order: str = LINEUP,
    days: int | None = None,
) -> Timeline:
    """A grid for each day of an answer or of performances: stages as rows, time across.

    Every performance is shown with its whole name, start and end, coloured by its popularity. Each
    of `findings` gets an edge that shows its reason on hover; the default is all that `find_all`
    finds, `()` shows none. `order` of the stages is `lineup` (as the rows name them) or
    `popularity`. `days` is how many days to draw, from the first. Raises FestivalError for another
    order, and for a frame that lacks a column.

    >>> print(timeline([Performance("Björk", "Main Stage", "2025-07-12", 1290, 1380, 97, 2)]))
    Timeline of 1 performance, 1 stage, 1 day
    """
    rows = _performances(answer)
    findings = find_all(rows) if findings is None else findings
    return Timeline(tuple(islice(day_grids(rows, findings, order), days)))


def _performances(answer: Performances | list[Performance]) -> list[Performance]:
    if isinstance(answer, list):
        return answer
    return performances_of(as_performances(answer, NEEDED))


def _section(day: DayGrid, name: str) -> str:
    stages = "".join(
        f'<div style="height:{stage.height:.0f}px">{escape(stage.name)}</div>'
        for stage in day.stages
    )
    fit = min(1.0, PRINTED_WIDTH / (day.width + STAGE_WIDTH))
    size = f'<svg width="{day.width:.0f}" height='
    return (
        f'<section id="{name}"><h3>{day_title(day)}</h3>'
        f'<div class="box" style="--fit:{fit:.2f}" tabindex="0">'
        f'<div class="row clock"><div class="col"><div class="corner">local time</div></div>'
        f'{size}"{HEADER}">{_svg(clock_shapes(day))}</svg></div>'
        f'<div class="row"><div class="col">{stages}</div>'
        f'{size}"{day.height:.0f}">{_svg(line_shapes(day))}{_cards(day, name)}</svg></div></div>'
        f"{_list_of_findings(day, name)}</section>"
    )


def _cards(day: DayGrid, name: str) -> str:
    """The day's cards, each with its text for hovering; links lead to cards with a finding."""
    links = {
        card: f' id="{name}c{number}"' for number, card in enumerate(_cards_with_findings(day))
    }
    return "".join(
        f'<g{links.get(card, "")} transform="translate({_pixels(card.left)} {_pixels(card.top)})">'
        f"<title>{escape(_hover_text(card), quote=False)}</title>{_svg(card_shapes(card))}</g>"
        for card in day.cards
    )


def _cards_with_findings(day: DayGrid) -> list[Card]:
    return [card for card in day.cards if card.findings]


def _hover_text(card: Card) -> str:
    row = card.row
    length = f"{(row.end - row.start) // 60}:{(row.end - row.start) % 60:02d} h"
    rank = "no popularity" if row.popularity is None else f"popularity {row.popularity}"
    times = f"{wall_clock(row.start)}–{wall_clock(row.end)} ({length}), {row.stage}, {rank}"
    reasons = (f"{finding.kind}: {finding.what}" for finding in card.findings)
    return "\n".join([row.performer, times, *reasons])


def _list_of_findings(day: DayGrid, name: str) -> str:
    """The day's findings as a list, for readers who cannot hover; each links to its performance."""
    anchors: dict[Finding, str] = {}
    for number, card in enumerate(_cards_with_findings(day)):
        for finding in card.findings:
            anchors.setdefault(finding, f"{name}c{number}")
    if not anchors:
        return ""
    lines = (
        f'<li><a href="#{anchor}">{escape(finding.kind)}</a>: {escape(finding.what)}</li>'
        for finding, anchor in islice(anchors.items(), MOST_LISTED)
    )
    rest = len(anchors) - MOST_LISTED
    more = f"<p>and {rest:,} more: hover over the edges</p>" if rest > 0 else ""
    count = counted(len(anchors), "finding")
    return f"<details><summary>{count}</summary><ol>{''.join(lines)}</ol>{more}</details>"


def _key(timeline: Timeline) -> str:
    """The legend; the browser wraps it to the page's width."""
    size = f'<svg width="{SWATCH_WIDTH}" height="{SWATCH_HEIGHT}">'
    spans = "".join(
        f"<span>{size}{_svg([swatch(kind)])}</svg>{escape(words)}</span>"
        for kind, words in legend(timeline.days)
    )
    return f'<p class="key">{spans}</p>'


def _svg(shapes: Iterable[Shape]) -> str:
    return "".join(map(_element, shapes))


def _element(shape: Shape) -> str:
    # 0 is the default: leaving it out keeps a page with thousands of shapes small.
    x = f' x="{_pixels(shape.x)}"' if shape.x else ""
    y = f' y="{_pixels(shape.y)}"' if shape.y else ""
    attributes = f'class="{shape.kind}"{x}{y}'
    if isinstance(shape, Rect):
        size = f'width="{_pixels(shape.width)}" height="{_pixels(shape.height)}"'
        return f"<rect {attributes} {size}/>"
    return f"<text {attributes}>{escape(shape.text, quote=False)}</text>"


def _pixels(length: float) -> str:
    return f"{length:.1f}".removesuffix(".0")


def _style(scope: str) -> str:
    """The style sheet; in a page, `scope` limits it to timelines, in an SVG it is empty."""
    rules = [*_rules(scope), _PAGE_STYLE if scope else f"text{{font-family:{FONT}}}"]
    return f"<style>{''.join(rules)}</style>"


def _rules(scope: str) -> Iterator[str]:
    for kind, look in LOOKS.items():
        dashes = " ".join(map(str, look.dashes)) or "none"
        yield (
            f"{scope}.{kind}{{fill:{look.fill};stroke:{look.line};stroke-width:{look.width};"
            f"stroke-dasharray:{dashes}}}"
        )
    for kind, letters in LETTERINGS.items():
        yield (
            f"{scope}.{kind}{{font-size:{letters.size}px;font-weight:{letters.weight};"
            f"fill:{letters.colour}}}"
        )
