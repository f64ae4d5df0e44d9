"""Names as people can trust what they see: characters that nobody sees, or that turn the text round, as codes."""

from __future__ import annotations

import unicodedata

# drawn as nothing or as a blank, though Unicode counts them among letters, marks and symbols
BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0")
HIDDEN = ("Cc", "Cf", "Cs", "Zl", "Zp", "Zs")
JOINER, AS_EMOJI = "\u200d", "\ufe0f"


def visible(name: object) -> str:
    """A name in one line, with the code of each character that cannot be seen.

    Those are controls, zero-width and direction marks, odd blanks and halves of surrogate pairs. Letters of every
    script and emoji stay.
    """
    text = str(name)
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        _code(character) if _is_hidden(character) and not _makes_emoji(text, place) else character
        for place, character in enumerate(text)
    )


def visible_lines(text: object) -> str:
    """The same of a text of several lines: line ends and tabs stay."""
    return "\n".join("\t".join(map(visible, line.split("\t"))) for line in str(text).split("\n"))


def _is_hidden(character: str) -> bool:
    if character == " ":
        return False
    selector = "\ufe00" <= character <= "\ufe0f" or "\U000e0100" <= character <= "\U000e01ef"
    return selector or character in BLANK or unicodedata.category(character) in HIDDEN


def _makes_emoji(text: str, place: int) -> bool:
    """Whether an invisible character makes one picture of its neighbours: it shows, and disguises nothing."""
    before = text[:place].rstrip(AS_EMOJI)[-1:]
    if text[place] == AS_EMOJI:
        return _is_picture(text[place - 1 : place])
    return text[place] == JOINER and _is_picture(before) and _is_picture(text[place + 1 : place + 2])


def _is_picture(character: str) -> bool:
    """Whether it is an emoji or its skin tone."""
    return bool(character) and unicodedata.category(character) in ("So", "Sk") and character > "\u2000"


def _code(character: str) -> str:
    number = ord(character)
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
