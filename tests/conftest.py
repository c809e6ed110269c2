"""No test may reach a real account, a real display or the developer's own settings."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).parents[1]

for name in list(os.environ):
    if name.startswith(("AWS_", "FESTIVAL_", "BOTO_")):
        del os.environ[name]
os.environ |= {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
    "MPLBACKEND": "Agg",
}

# The machine that runs the suite may be busy: no test is about how long an example takes.
settings.register_profile("suite", deadline=None, print_blob=True)
settings.load_profile("suite")


# What takes long begins first, so that no core waits for another at the end.
LONG = ("integration", "faults", "contract")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    order = {folder: place for place, folder in enumerate(LONG)}
    items.sort(key=lambda item: order.get(item.path.parent.name, len(LONG)))


@pytest.fixture(autouse=True, scope="module")
def papermill_asks_anew() -> Iterator[None]:
    """papermill keeps its first S3 client for the process; the next module has another AWS."""
    yield
    if (papermill := sys.modules.get("papermill.s3")) is not None:
        papermill.S3.s3_session = (None, None, None)


@pytest.fixture
def sample() -> Path:
    """The folder of the sample files."""
    return ROOT / "sample"
