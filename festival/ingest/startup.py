"""No garbage collection while the function's modules load: imported first, and ended by `over`."""

import gc

_was_enabled = gc.isenabled()
gc.disable()


def over() -> None:
    """Collect again, if that was so before, and never look at what has been loaded."""
    gc.freeze()
    if _was_enabled:
        gc.enable()
