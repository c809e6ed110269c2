"""The garbage collector, silent during a cold start.

While modules and clients are made, hundreds of thousands of objects are, and none of them is
garbage: the collections in between were a quarter of a cold start's processor time.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def paused() -> Iterator[None]:
    """No collection within the block, and none of what is there at its end."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_enabled:
            gc.enable()
