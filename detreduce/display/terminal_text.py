"""Text for a terminal: coloured messages, and codes that replace invisible characters in names."""

from __future__ import annotations

import re
import textwrap
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.text import Text

# rich shows no colours in a pipe, on a dumb terminal, or if NO_COLOR is set
GOOD, WARNING, ERROR = "bold green", "bold yellow", "bold red"

# characters that look empty, although Unicode classifies them as letters, marks or symbols
BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0")
HIDDEN = ("Cc", "Cf", "Cs", "Zl", "Zp", "Zs")
NON_JOINER, JOINER, AS_EMOJI, KEYCAP = "\u200c", "\u200d", "\ufe0f", "\u20e3"
# Scripts in which a joiner or a non-joiner changes the shape of letters. Each is given as the first word of the Unicode
# names of its letters.
JOINING_SCRIPTS = (
    *("ARABIC", "SYRIAC", "NKO", "MONGOLIAN", "DEVANAGARI", "BENGALI", "GURMUKHI", "GUJARATI", "ORIYA", "TAMIL"),
    *("TELUGU", "KANNADA", "MALAYALAM", "SINHALA", "MYANMAR", "KHMER", "TIBETAN"),
)
VIRAMA = 9
# pictures and signs that can be shown as emoji, although Unicode does not classify them as symbols
PICTURES_TOO, SIGNS_TOO = frozenset("\u2194\u25fd\u25fe\u2934\u2935"), frozenset("\xa9\xae\u203c\u2049\u2139\u3030")
# The flag of a region such as England: a black flag followed by tag characters. The number of tags is limited, so that
# no text can hide in them.
FLAG = re.compile("\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{4,6}\U000e007f")


def visible(name: object) -> str:
    """Return a name on one line, with visible codes instead of invisible characters.

    Invisible characters are control characters, zero-width marks, direction marks, unusual spaces and halves of
    surrogate pairs. Letters of all scripts and emoji are not changed. Joiners, variation selectors and tags are not
    changed if they are part of an emoji, a flag or the shape of a letter.
    """
    text = str(name)
    if text.isascii() and text.isprintable():
        return text
    flags = {place for flag in FLAG.finditer(text) for place in range(*flag.span())}
    return "".join(
        _code(character)
        if _is_hidden(character) and place not in flags and not _changes_neighbours(text, place)
        else character
        for place, character in enumerate(text)
    )


def visible_lines(text: object) -> str:
    """Return a text with visible codes instead of invisible characters. Line breaks and tabs are not changed."""
    return "\n".join("\t".join(map(visible, line.split("\t"))) for line in str(text).split("\n"))


def _is_hidden(character: str) -> bool:
    if character == " ":
        return False
    selector = "\ufe00" <= character <= "\ufe0f" or "\U000e0100" <= character <= "\U000e01ef"
    return selector or character in BLANK or unicodedata.category(character) in HIDDEN


def _changes_neighbours(text: str, place: int) -> bool:
    """Return whether an invisible character changes how its neighbours look, as a joiner between two emoji does."""
    character, before, after = text[place], text[:place][-1:], text[place + 1 : place + 2]
    if character == AS_EMOJI:
        return _is_picture(before) or before in SIGNS_TOO or (after == KEYCAP and before in set("0123456789#*"))
    if character not in (NON_JOINER, JOINER):
        return False
    if _joins(before):
        # the half form of a letter, which may also end a word
        return _joins(after) or (character == JOINER and unicodedata.combining(before) == VIRAMA)
    return character == JOINER and _is_picture(text[:place].rstrip(AS_EMOJI)[-1:]) and _is_picture(after)


def _is_picture(character: str) -> bool:
    """Return whether the character is an emoji or a modifier that sets the skin tone of an emoji."""
    if not character or character in PICTURES_TOO:
        return bool(character)
    return unicodedata.category(character) in ("So", "Sk") and character > "\u2000"


def _joins(character: str) -> bool:
    """Return whether the character is a letter or mark of a script in which a joiner changes the shape of letters."""
    if not character or unicodedata.category(character)[0] not in "LM":
        return False
    return unicodedata.name(character, "").partition(" ")[0] in JOINING_SCRIPTS


def _code(character: str) -> str:
    number = ord(character)
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def labelled(line: str, style: str) -> Text:
    """Return a line of text with a style applied to its label, which is the text up to the first colon.

    If there is no label, the style applies to the whole line.
    """
    from rich.text import Text

    text = visible_lines(line)
    label, colon, _ = text.lstrip("\n").partition(":")
    end = text.index(label) + len(label) + 1 if colon and "\n" not in label else len(text)
    found = Text(text)
    found.stylize(style, 0, end)
    return found


def wrap(text: str, width: int, *, first: str = "", indent: str = "") -> list[str]:
    """Break a text into lines of at most `width` characters. Line breaks in the text are kept.

    Long words, such as paths, are never broken, so that users can copy them. The same holds for commands between
    backticks. The first line begins with `first`, and every other line begins with `indent`.
    """
    whole = re.sub(r"`[^`\n]*`", lambda command: command[0].replace(" ", "\0"), text)
    shape = textwrap.TextWrapper(
        width, initial_indent=first, subsequent_indent=indent, break_on_hyphens=False, break_long_words=False
    )
    lines = []
    for number, part in enumerate(whole.split("\n")):
        shape.initial_indent = indent if number else first
        lines += [line.replace("\0", " ") for line in shape.wrap(part)] or [""]
    return lines
