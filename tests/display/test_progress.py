from __future__ import annotations

import io
import sys
import time

import pytest
from rich.console import Console

from detreduce.display import progress as module
from detreduce.display.progress import Work, command, in_time, line, progress, step, tell


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def shown(work: Work, width: int) -> str:
    out = Console(width=200, file=io.StringIO(), record=True)
    out.print(line(work, width))
    return out.export_text().rstrip("\n")


def terminal_of(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Make stderr a terminal. Call this inside a test, because pytest replaces stderr before each test."""
    stderr = Terminal()
    monkeypatch.setattr(sys, "stderr", stderr)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(module, "DELAY_SECONDS", 0.05)
    return stderr


def test_rate_and_time_left() -> None:
    clock = Clock()
    work = Work("Reading", 100, "images", clock=clock)
    clock.now = 10.0
    work.advance(20)
    assert work.in_words() == "20/100  2.0 images/s  40 s left"
    clock.now = 20.0
    work.advance(40, note="half")
    assert work.in_words() == "60/100  3.0 images/s  13 s left  half"


def test_the_rate_is_that_of_late() -> None:
    clock = Clock()
    work = Work("Reading", 1000, "images", clock=clock)
    for second in range(1, 101):
        clock.now = float(second)
        # the first half takes ten times as long as the second
        work.advance(1 if second <= 50 else 10)
    assert work.rate == pytest.approx(10.0, rel=0.05)


def test_slow_things_have_minutes_and_their_time_left_only_falls() -> None:
    clock = Clock()
    work = Work("cells", 4, "cells", clock=clock)
    clock.now = 60.0
    work.advance()
    assert work.in_words() == "1/4  1.0 cells/min  3 min left"
    clock.now = 110.0
    assert work.left == pytest.approx(130.0)
    clock.now = 600.0
    # the second unit takes far longer than the first unit
    assert work.left > 120.0


def test_without_a_total_the_time_so_far() -> None:
    clock = Clock()
    work = Work("working", None, clock=clock)
    clock.now = 7.0
    assert work.in_words() == "7 s"


def test_durations() -> None:
    assert [in_time(seconds) for seconds in (0, 89, 100, 5000, 7200)] == ["0 s", "89 s", "2 min", "83 min", "2.0 h"]


@pytest.mark.parametrize("width", [30, 60, 80, 140])
def test_a_work_is_one_line_at_any_width(width: int) -> None:
    clock = Clock()
    work = Work("Filling what the proxy did not see", 100, "images", clock=clock)
    clock.now = 10.0
    work.advance(20, note="epoch 1/3 loss 2.345")
    text = shown(work, width)
    assert "\n" not in text and len(text) <= width
    assert ("━" in text) == (width > 100)
    if width >= 80:
        assert "20/100  2.0 images/s  40 s left" in text


def until(terminal: io.StringIO, *texts: str) -> str:
    """Wait until the terminal shows all of these texts, also on a busy machine."""
    end = time.monotonic() + 300
    while not all(text in terminal.getvalue() for text in texts):
        assert time.monotonic() < end, f"{texts} never came: {terminal.getvalue()!r}"
        time.sleep(0.02)
    return terminal.getvalue()


def anew(terminal: io.StringIO, *texts: str) -> str:
    """Return the text on the terminal after these texts have appeared, without earlier text."""
    until(terminal, *texts)
    terminal.truncate(0)
    return until(terminal, *texts)


def test_a_terminal_is_shown_a_line_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = terminal_of(monkeypatch)
    with progress("Reading", 10, "images") as advance:
        advance(3)
        until(terminal, "Reading", "3/10")


def test_quick_things_show_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = terminal_of(monkeypatch)
    monkeypatch.setattr(module, "DELAY_SECONDS", 5.0)
    with progress("Reading", 10) as advance:
        advance(3)
    assert terminal.getvalue() == ""


def test_what_stands_behind_is_shown_alone_only(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = terminal_of(monkeypatch)
    with progress("working", None, behind=True):
        until(terminal, "working")
        with progress("Reading", 10):
            until(terminal, "Reading")
            assert "working" not in anew(terminal, "Reading")


def test_a_step_has_its_name_there_at_once_where_a_line_is_and_gives_way_to_a_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    terminal = terminal_of(monkeypatch)
    with progress("working", None, behind=True):
        until(terminal, "working")
        monkeypatch.setattr(module, "DELAY_SECONDS", 60.0)
        with step("choosing by mms"):
            assert "working" not in anew(terminal, "choosing by mms")
            with progress("dogs", 40, "images", behind=True) as advance:
                advance(10)
                assert "choosing" not in anew(terminal, "dogs", "10/40")
            monkeypatch.setattr(module, "DELAY_SECONDS", 0.0)
            with progress("Reading", 10):
                assert "choosing" not in anew(terminal, "Reading")
        anew(terminal, "working")


def test_the_line_of_a_command_names_the_work_that_ended_last(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = terminal_of(monkeypatch)
    with command("loading libraries"):
        until(terminal, "loading libraries")
        with step("choosing by mms"):
            anew(terminal, "choosing by mms")
        anew(terminal, "choosing by mms: finishing")  # a busy machine may miss the first second


def test_a_step_that_is_alone_waits_for_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = terminal_of(monkeypatch)
    monkeypatch.setattr(module, "DELAY_SECONDS", 60.0)
    with step("choosing"):
        assert terminal.getvalue() == ""
    monkeypatch.setattr(module, "DELAY_SECONDS", 0.1)
    with step("choosing"):
        until(terminal, "choosing")
    assert not module._BOARD._behind and module._BOARD._live is None


def test_lines_come_above(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = terminal_of(monkeypatch)
    with progress("Reading", 10):
        until(terminal, "Reading")
        tell("[1/3] one of [them]")
        until(terminal, "[1/3] one of [them]", "\n")


@pytest.mark.parametrize("dumb", [True, False])
def test_pipes_and_dumb_terminals_are_shown_nothing(monkeypatch: pytest.MonkeyPatch, dumb: bool) -> None:
    terminal = terminal_of(monkeypatch)
    if dumb:
        monkeypatch.setenv("TERM", "dumb")
    else:
        terminal.isatty = lambda: False  # type: ignore[method-assign]
    with progress("Reading", 10):
        time.sleep(0.2)
    assert terminal.getvalue() == ""


def pipe_of(monkeypatch: pytest.MonkeyPatch, seconds: float) -> io.StringIO:
    """Make stderr a pipe, with these seconds before a line."""
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    for name in ("PLAIN_DELAY_SECONDS", "PLAIN_SECONDS", "MOST_PLAIN_SECONDS"):
        monkeypatch.setattr(module, name, seconds)
    return sys.stderr  # type: ignore[return-value]


def test_a_command_in_a_pipe_prints_plain_lines_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = pipe_of(monkeypatch, 0.05)
    with command("loading libraries"):
        with step("choosing"), progress("Reading", 10, "images") as advance:
            advance(3)
            until(pipe, "Reading: 3/10")
            advance(2)
            until(pipe, "Reading: 5/10")
        until(pipe, "choosing: finishing, ")
    ended = pipe.getvalue()
    time.sleep(0.2)
    assert pipe.getvalue() == ended
    assert not module._BOARD._works and not module._BOARD._behind and not module.prints_plain_lines()
    assert all(line.strip() == line and line.isprintable() for line in ended.splitlines())


def test_a_quick_command_in_a_pipe_prints_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = pipe_of(monkeypatch, 60.0)
    with command("loading libraries"), progress("Reading", 10) as advance:
        advance(3)
    assert pipe.getvalue() == ""


def test_lines_of_the_command_delay_a_plain_line(monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = pipe_of(monkeypatch, 60.0)
    with command("loading libraries"):
        tell("one")
        assert time.monotonic() - module._BOARD._last_line < 60
    assert pipe.getvalue() == "one\n"
