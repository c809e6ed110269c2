"""What the fault tests share."""

import pytest

from .invocation import Ports


@pytest.fixture(scope="session")
def ports():
    """Proxies and clients, kept from schedule to schedule."""
    kept = Ports()
    yield kept
    kept.close()
