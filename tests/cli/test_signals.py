"""After SIGTERM and SIGHUP, a command cleans up as after Ctrl-C, and ends with the exit code 128 + n."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from detreduce.cli.signals import ended_by_signals, received_signal

PROGRAM = """
import signal, sys
# whoever runs the tests may ignore these signals, as nohup does
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
from detreduce.cli import app
from detreduce.dataset.writing import links
def wait(*_):
    print("ready", flush=True)
    while True: signal.pause()
links.Placer.image = wait
app(prog_name="detreduce")
"""


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    (tmp_path / "photos").mkdir()
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / "photos" / name).write_bytes(b"\xff\xd8 x \xff\xd9")
    return tmp_path / "photos"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_command_that_writes_is_ended(number: signal.Signals, photos: Path, tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-c",
        PROGRAM,
        "reduce",
        str(photos),
        "-m",
        "srs",
        "-k",
        "1",
        "-o",
        str(tmp_path / "far" / "out"),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        process.send_signal(number)
        _, said = process.communicate()
    assert process.returncode == 128 + number
    word = "Interrupted" if number == signal.SIGINT else number.name
    assert word in said and "Traceback" not in said
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]


def test_a_signal_that_is_ignored_stays_ignored(photos: Path, tmp_path: Path) -> None:
    """As `nohup` does."""
    program = PROGRAM.replace("def wait(*_):", "signal.signal(signal.SIGHUP, signal.SIG_IGN)\ndef wait(*_):")
    command = [
        sys.executable,
        "-c",
        program,
        "reduce",
        str(photos),
        "-m",
        "srs",
        "-k",
        "1",
        "-o",
        str(tmp_path / "out"),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGTERM)
        process.communicate()
    assert process.returncode == 128 + signal.SIGTERM


def test_later_signals_do_not_disturb_the_clean_up_and_the_handlers_are_given_back() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)]
    with ended_by_signals():
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGHUP)
        assert received_signal() == signal.SIGTERM
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)] == before
    with ended_by_signals():
        assert received_signal() is None


def test_a_forked_process_ends_at_once() -> None:
    with ended_by_signals():
        reader, writer = os.pipe()
        process = os.fork()
        if process == 0:
            # Python drops signals that arrive before the fork is over
            os.write(writer, b"!")
            for _ in range(6000):
                time.sleep(0.01)
            os._exit(0)
        assert os.read(reader, 1) == b"!"
        os.kill(process, signal.SIGTERM)
        assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == -signal.SIGTERM


def test_an_interrupt_in_a_destructor_is_not_lost() -> None:
    """Python only prints exceptions of a destructor, so Ctrl-C at the wrong moment did nothing."""
    # the caller of the tests may ignore this signal
    signal.signal(signal.SIGINT, signal.default_int_handler)

    class Late:
        def __del__(self) -> None:
            raise KeyboardInterrupt

    late = Late()
    with pytest.raises(KeyboardInterrupt), ended_by_signals():
        del late
        time.sleep(600)
        raise AssertionError("not interrupted")
