"""The function's process: what it sees, how it answers, how it ends."""

import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from festival.embedded import runtime as runtime_module
from festival.embedded.runtime import BrokenFunctionError, Function, FunctionError, Runtime

ARN = "arn:aws:lambda:us-east-2:123456789012:function:processFestivalData"

# What happens where awslambdaric is not installed: the kit's own client stands in for AWS's.
OWN_CLIENT = """
import os, runpy, sys
sys.path.insert(0, os.getcwd())
bootstrap = runpy.run_path({bootstrap!r})
bootstrap["serve"](sys.argv[1], os.environ["AWS_LAMBDA_RUNTIME_API"])
"""

needs_aws_client = pytest.mark.skipif(
    importlib.util.find_spec("awslambdaric") is None,
    reason="awslambdaric, AWS's own runtime client, is not installed (it is for Linux only)",
)

Start = Callable[..., Runtime]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts the function that the given source text defines."""
    runtimes: list[Runtime] = []

    def start(source: str, handler: str = "doors.opened", **changes: Any) -> Runtime:
        (tmp_path / "doors.py").write_text(source, encoding="utf-8")
        on_log = changes.pop("on_log", None)
        function = Function(
            **{
                "name": "processFestivalData",
                "arn": ARN,
                "handler": handler,
                "timeout": 20,
                "memory": 256,
                "region": "us-east-2",
                "environment": {"TABLE_NAME": "performances"},
                "code": tmp_path,
                **changes,
            }
        )
        runtimes.append(
            Runtime(function, {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}, on_log=on_log)
        )
        return runtimes[-1]

    yield start
    for runtime in runtimes:
        runtime.close()


@pytest.fixture(params=[pytest.param("awslambdaric", marks=needs_aws_client), "the kit's own"])
def client(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of the two clients of the Runtime API in turn."""
    if request.param == "the kit's own":
        own = tmp_path / "own_client.py"
        own.write_text(OWN_CLIENT.format(bootstrap=str(runtime_module.BOOTSTRAP)))
        monkeypatch.setattr(runtime_module, "BOOTSTRAP", own)


@pytest.mark.usefixtures("client")
def test_the_handler_gets_event_and_context_and_its_answer_comes_back(start: Start):
    runtime = start(
        "def opened(event, context):\n"
        "    left = context.get_remaining_time_in_millis()\n"
        "    return {'event': event, 'arn': context.invoked_function_arn, 'left': left,\n"
        "            'name': context.function_name, 'id': context.aws_request_id}\n"
    )
    answer = runtime.invoke({"stage": "Skógur"})
    assert answer["event"] == {"stage": "Skógur"}
    assert (answer["name"], answer["arn"]) == ("processFestivalData", ARN)
    assert 0 < answer["left"] <= 20_000
    assert len(answer["id"]) == 36


@pytest.mark.usefixtures("client")
def test_one_warm_process_takes_event_after_event_even_after_one_that_failed(start: Start):
    runtime = start(
        "import os\n"
        "def opened(event, context):\n"
        "    if event == 'encore':\n"
        "        raise ValueError('the power is gone')\n"
        "    return os.getpid()\n"
    )
    first = runtime.invoke("opener")
    with pytest.raises(FunctionError, match="ValueError: the power is gone"):
        runtime.invoke("encore")
    assert runtime.invoke("headliner") == first


def test_a_handler_that_runs_out_of_time_is_killed_and_the_next_event_starts_cold(start: Start):
    runtime = start(
        "import os, time\n"
        "def opened(event, context):\n"
        "    time.sleep(event)\n"
        "    return os.getpid()\n",
        timeout=0.5,
    )
    first = runtime.invoke(0)
    with pytest.raises(FunctionError, match=r"Task timed out after 0\.50 seconds"):
        runtime.invoke(4)
    assert runtime.invoke(0) != first


def test_a_process_that_dies_says_its_last_words_and_the_next_event_starts_cold(start: Start):
    runtime = start(
        "import os\n"
        "def opened(event, context):\n"
        "    if event == 'die':\n"
        "        print('out of memory', flush=True)\n"
        "        os._exit(137)\n"
        "    return 'alive'\n"
    )
    with pytest.raises(FunctionError, match="Runtime exited: out of memory"):
        runtime.invoke("die")
    assert runtime.invoke("live") == "alive"


@pytest.mark.usefixtures("client")
@pytest.mark.parametrize("handler", ["doors.closed", "gates.opened", "doors"])
def test_a_wrong_handler_cannot_start(start: Start, handler: str):
    runtime = start("def opened(event, context): return 1\n", handler)
    with pytest.raises(
        BrokenFunctionError, match=f"cannot start with the handler {handler}: "
    ) as e:
        runtime.invoke({})
    assert "\n" not in str(e.value)


@pytest.mark.parametrize("module", ["pytest", "moto", "pandas", "festival"])
def test_the_function_sees_nothing_that_lambda_lacks(start: Start, module: str):
    assert importlib.util.find_spec(module) is not None, "the machine has it, the function must not"
    runtime = start(f"import {module}\ndef opened(event, context): return 1\n")
    with pytest.raises(
        BrokenFunctionError, match=f"No module named '{module}' in the function's zip"
    ):
        runtime.invoke({})


def test_the_function_sees_boto3(start: Start):
    runtime = start(
        "import boto3\ndef opened(event, context): return boto3.client('sqs').meta.endpoint_url\n"
    )
    assert runtime.invoke({}) == "http://127.0.0.1:1"


def test_the_function_sees_its_own_environment_and_not_the_machines(
    start: Start, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("FESTIVAL_SECRET", "the headliner")
    runtime = start("import os\ndef opened(event, context): return dict(os.environ)\n")
    seen = runtime.invoke({})
    assert seen["TABLE_NAME"] == "performances"
    assert seen["AWS_LAMBDA_FUNCTION_NAME"] == "processFestivalData"
    assert "FESTIVAL_SECRET" not in seen


def test_each_line_that_the_function_logs_is_handed_on(start: Start):
    lines: list[str] = []
    runtime = start(
        "import sys\n"
        "print('doors open at four')\n"
        "def opened(event, context): print('it rains', file=sys.stderr)\n",
        on_log=lines.append,
    )
    assert runtime.invoke({}) is None
    runtime.close()
    assert lines == ["doors open at four", "it rains"]


def test_what_is_no_json_fails_the_invocation(start: Start):
    runtime = start("def opened(event, context): return object()\n")
    with pytest.raises(FunctionError, match="failed: "):
        runtime.invoke({})
