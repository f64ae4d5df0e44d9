from __future__ import annotations

from detreduce.display.listener import listening, say


def test_the_innermost_listener_gets_the_lines_of_its_block() -> None:
    outer: list[str] = []
    inner: list[str] = []
    say("nobody listens")
    with listening(outer.append):
        say("a")
        with listening(inner.append):
            say("b")
        with listening(None):
            say("c")
    say("nobody listens")
    assert (outer, inner) == (["a", "c"], ["b"])
