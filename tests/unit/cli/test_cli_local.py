"""`festival lab`: whose copies it opens, what it refuses, and how it ends."""

import signal
import sys
import threading
import time
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from festival.cli import local
from festival.cli import main as command
from festival.errors import FestivalError

AWS = SimpleNamespace(environment={"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "HOME": "/x"})
OUTPUTS = SimpleNamespace(table="lineup-table", upload_bucket="uploads")


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A folder with a notebook, an AWS that starts at once, and somebody who is not root."""

    @contextmanager
    def started(port, empty):
        yield AWS, OUTPUTS

    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "query.ipynb").write_text("{}")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(local, "started", started)
    monkeypatch.setattr(local, "find_spec", lambda _: True)
    monkeypatch.setattr(local, "is_root", lambda: False)
    return tmp_path


def jupyter(monkeypatch, program):
    """What runs in JupyterLab's place."""
    monkeypatch.setattr(local, "JUPYTER", (sys.executable, "-c", program))


def lab(*options):
    with pytest.raises(SystemExit) as ended:
        command.main(["lab", *options])
    return ended.value.code


def test_jupyterlab_opens_copies_so_that_the_checkout_stays_clean(checkout, monkeypatch):
    jupyter(monkeypatch, "import sys; open(sys.argv[-1] + '/query.ipynb', 'w').write('mine')")
    assert lab() == 0
    assert (checkout / "runs" / "lab" / "query.ipynb").read_text() == "mine"
    assert (checkout / "notebooks" / "query.ipynb").read_text() == "{}"


def test_a_copy_that_is_there_already_is_kept(checkout, monkeypatch):
    (checkout / "runs" / "lab").mkdir(parents=True)
    (checkout / "runs" / "lab" / "query.ipynb").write_text("my work")
    jupyter(monkeypatch, "")
    assert lab() == 0
    assert (checkout / "runs" / "lab" / "query.ipynb").read_text() == "my work"


def test_other_terminals_find_this_aws_while_it_runs_and_not_after(checkout, monkeypatch):
    jupyter(monkeypatch, "import shutil; shutil.copy('.festival/env', 'seen')")
    assert lab() == 0
    seen = (checkout / "seen").read_text()
    assert "export TABLE_NAME=lineup-table" in seen
    assert "HOME" not in seen
    assert not (checkout / ".festival" / "env").exists()


def test_it_ends_with_jupyters_own_status_and_passes_options_on(checkout, monkeypatch):
    jupyter(monkeypatch, "import sys; sys.exit(len(sys.argv))")
    assert lab("--no-browser", "--port", "9000") == 5


def test_a_signal_that_ends_jupyter_is_its_status_as_a_shell_says_it(checkout, monkeypatch):
    jupyter(monkeypatch, "import os; os.kill(os.getpid(), 9)")
    assert lab() == 128 + 9


@pytest.mark.skipif(sys.platform == "win32", reason="no signals")
def test_sigterm_is_passed_on_and_ctrl_c_is_left_to_jupyter(tmp_path):
    ready = tmp_path / "ready"
    program = (
        "import pathlib, signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))\n"
        f"pathlib.Path({str(ready)!r}).touch()\n"
        "time.sleep(60)"
    )

    def send():
        while not ready.exists():
            time.sleep(0.05)
        for number in (signal.SIGINT, signal.SIGTERM):  # a busy thread may take a process's second
            signal.pthread_kill(main, number)

    main = threading.main_thread().ident
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    threading.Thread(target=send).start()
    assert local.run_to_its_end([sys.executable, "-c", program]) == 7
    assert handlers == [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]


def test_root_is_told_what_to_do_before_anything_starts(checkout, monkeypatch, capsys):
    monkeypatch.setattr(local, "is_root", lambda: True)
    jupyter(monkeypatch, "")
    assert lab() == 2
    assert "add --allow-root, or run this as another user" in capsys.readouterr().err
    assert not (checkout / "runs").exists()
    assert lab("--allow-root") == 0


def test_a_folder_without_notebooks_is_named(tmp_path):
    with pytest.raises(FestivalError, match=r"no notebooks in .*: run this in a checkout"):
        local.copied_notebooks(tmp_path, tmp_path / "lab")


def test_an_interrupt_while_the_stack_is_deployed_is_quiet(monkeypatch, capsys, tmp_path):
    class InterruptedAws:
        endpoint_url = "http://127.0.0.1:9"

        def __init__(self, port):
            pass

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def deploy(self):
            raise KeyboardInterrupt

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(local, "EmbeddedAws", InterruptedAws)
    before = signal.getsignal(signal.SIGTERM)
    try:
        assert command.run(["local"]) == 130
    finally:
        signal.signal(signal.SIGTERM, before)
    assert capsys.readouterr().err == ""
