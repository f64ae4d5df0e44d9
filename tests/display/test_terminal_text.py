from __future__ import annotations

import json

import pytest

from detreduce.cli.exit_codes import Program
from detreduce.cli.output import print_json, say
from detreduce.cli.show import terminal
from detreduce.display.html import text
from detreduce.display.terminal_text import visible, visible_lines
from detreduce.errors import InputError

HIDDEN = {
    "fish\u202egpj.exe": "fish\\u202egpj.exe",
    "fi\u200bsh": "fi\\u200bsh",
    "\u2066fish\u2069": "\\u2066fish\\u2069",
    "\ufefffish": "\\ufefffish",
    "fish\x1b[2K": "fish\\x1b[2K",
    "fish\x00": "fish\\x00",
    "fish\x9b1m": "fish\\x9b1m",
    "fish\u00a0": "fish\\xa0",
    "fish\u3164": "fish\\u3164",
    "fish\u00ad": "fish\\xad",
    "fish\ufe0f": "fish\\ufe0f",
    "fish\U000e0041": "fish\\U000e0041",
    "fish\u200d": "fish\\u200d",
    "fi\u200dsh": "fi\\u200dsh",
    "fi\u200csh": "fi\\u200csh",
    "\u0645\u200cfish": "\u0645\\u200cfish",
    "\u0645\u200c": "\u0645\\u200c",
    "\u0645\u200c\u200c\u0645": "\u0645\\u200c\\u200c\u0645",
    "1\ufe0f": "1\\ufe0f",
    "\u2211\ufe0f": "\u2211\\ufe0f",
    "\U0001f3f4\U000e0067\U000e0062": "\U0001f3f4\\U000e0067\\U000e0062",
    "\U0001f3f4" + "\U000e0061" * 9 + "\U000e007f": "\U0001f3f4" + "\\U000e0061" * 9 + "\\U000e007f",
    "caf\udce9": "caf\\udce9",
    "a\u2028b": "a\\u2028b",
}


@pytest.mark.parametrize(("name", "shown"), HIDDEN.items())
def test_what_cannot_be_seen_is_a_code(name: str, shown: str) -> None:
    assert visible(name) == visible_lines(name) == text(name) == shown


@pytest.mark.parametrize(
    "name",
    [
        *("fish 3", "تمساح", "שלום", "e\u0301", "🐟", "👨\u200d👩\u200d👧", "❤\ufe0f", "🏳\ufe0f\u200d🌈", "कृषि", "$^x"),
        # Persian "I want", Malayalam "he" with a final half form, Sinhala "Sri"
        *("می\u200cخواهم", "അവന\u0d4d\u200d", "ශ\u0dca\u200dරී"),
        *("1\ufe0f\u20e3", "#\ufe0f\u20e3", "\xa9\ufe0f", "\u2139\ufe0f", "🙂\u200d↔\ufe0f"),
        # the flag of Scotland
        "🏴" + "".join(chr(0xE0000 + ord(letter)) for letter in "gbsct") + "\U000e007f",
    ],
)
def test_every_script_and_emoji_stay(name: str) -> None:
    assert visible(name) == name


def test_a_name_is_one_line_and_a_text_has_many() -> None:
    assert visible("a\n\tb") == "a\\x0a\\x09b"
    assert visible_lines("a\n\tb\u202e") == "a\n\tb\\u202e"


def test_the_terminal_shows_codes_in_texts_and_tables(capsys: pytest.CaptureFixture[str]) -> None:
    out = terminal.console()
    table = terminal.table_of("class\u202e")
    table.add_row("fi\x1b[2Ksh")
    out.print(table)
    out.print("two\nlines \u200b")
    say("said \u202e")
    shown = capsys.readouterr().out
    assert "class\\u202e" in shown and "fi\\x1b[2Ksh" in shown and "two\nlines \\u200b" in shown
    assert "said \\u202e" in shown and "\x1b" not in shown and "\u202e" not in shown


def test_scripts_get_names_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"name": "fish\u202e"})
    assert json.loads(capsys.readouterr().out) == {"name": "fish\u202e"}


def test_an_error_shows_codes(capsys: pytest.CaptureFixture[str]) -> None:
    import typer

    program = typer.Typer(cls=Program)

    @program.callback(invoke_without_command=True)
    def fail() -> None:
        raise InputError("no file a\u202eb.")

    with pytest.raises(SystemExit):
        program([])
    assert "no file a\\u202eb." in capsys.readouterr().err
