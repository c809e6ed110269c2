"""What is being done and what comes of it, told while it happens."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from festival.text import printable

if TYPE_CHECKING:
    from festival.embedded.aws import Email


@contextmanager
def step(what: str) -> Iterator[None]:
    """Say what is being done, and how long it took."""
    click.echo(f"▸ {what} … ", nl=False)
    began = time.perf_counter()
    try:
        yield
    except BaseException:
        click.echo()
        raise
    click.echo(f"{time.perf_counter() - began:.1f} s")


def email_lines(email: "Email", to: str) -> Iterator[str]:
    """An e-mail as it would arrive."""
    yield f"  ┌ To:      {to}"
    yield f"  │ Subject: {printable(email.subject)}"
    yield "  │"
    yield from (f"  │ {printable(line)}".rstrip() for line in email.body.rstrip().splitlines())
    yield "  └"
