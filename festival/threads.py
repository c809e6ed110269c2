"""Runs several calls at the same time."""

from collections.abc import Callable, Generator, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def at_once(
    call: Callable[[Item], Result], items: Iterable[Item], threads: int, *, in_order: bool = True
) -> Generator[Result, None, None]:
    """The result of `call` for each item, with at most `threads` calls running at once.

    Results come in the order of the items or, without `in_order`, as the calls return. No call
    begins before the first result is requested. If a call raises, so does the generator. By the
    time the generator has ended, for whatever reason, every call that began has returned, and no
    other will begin.

    >>> list(at_once(len, ["Mogwai", "Low"], threads=2))
    [6, 3]
    """
    pool = ThreadPoolExecutor(threads, thread_name_prefix="at-once")
    try:
        running = [pool.submit(call, item) for item in items]
        for done in running if in_order else as_completed(running):
            yield done.result()
    finally:
        pool.shutdown(cancel_futures=True)
