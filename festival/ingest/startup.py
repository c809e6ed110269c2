"""No garbage collection while the function's modules load: import it first, end it with `over`."""

import gc

_was_enabled = gc.isenabled()
gc.disable()


def over() -> None:
    """Turn collection back on if it was on before, and never scan what has been loaded."""
    gc.freeze()
    if _was_enabled:
        gc.enable()
