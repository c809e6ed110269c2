"""Turns garbage collection off while the function's modules load. Import it before them."""

import gc

_was_enabled = gc.isenabled()
gc.disable()


def over() -> None:
    """Exempt all that is loaded from collection, and turn it on again if it was on before."""
    gc.freeze()
    if _was_enabled:
        gc.enable()
