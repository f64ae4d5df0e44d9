"""Names that can be trusted: invisible characters, and those that reverse the text, are shown as codes."""

from __future__ import annotations

import re
import unicodedata

# drawn as nothing or as a blank, although Unicode calls them letters, marks and symbols
BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0")
HIDDEN = ("Cc", "Cf", "Cs", "Zl", "Zp", "Zs")
NON_JOINER, JOINER, AS_EMOJI, KEYCAP = "\u200c", "\u200d", "\ufe0f", "\u20e3"
# scripts in which a joiner or non-joiner changes the letters; the first word of their letters' names
JOINING_SCRIPTS = (
    *("ARABIC", "SYRIAC", "NKO", "MONGOLIAN", "DEVANAGARI", "BENGALI", "GURMUKHI", "GUJARATI", "ORIYA", "TAMIL"),
    *("TELUGU", "KANNADA", "MALAYALAM", "SINHALA", "MYANMAR", "KHMER", "TIBETAN"),
)
VIRAMA = 9
# pictures and signs with an emoji form that Unicode does not put among the symbols
PICTURES_TOO, SIGNS_TOO = frozenset("\u2194\u25fd\u25fe\u2934\u2935"), frozenset("\xa9\xae\u203c\u2049\u2139\u3030")
# the black flag with the tags of a region, such as England's; its length is limited, so that no text hides there
FLAG = re.compile("\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{4,6}\U000e007f")


def visible(name: object) -> str:
    """Return a name in one line, with codes for invisible characters.

    These are controls, zero-width and direction marks, unusual blanks and halves of surrogate pairs. Letters of all
    scripts and emoji stay, with the joiners, selectors and tags that combine several into one sign.
    """
    text = str(name)
    if text.isascii() and text.isprintable():
        return text
    flags = {place for flag in FLAG.finditer(text) for place in range(*flag.span())}
    return "".join(
        _code(character) if _is_hidden(character) and place not in flags and not _shows(text, place) else character
        for place, character in enumerate(text)
    )


def visible_lines(text: object) -> str:
    """Return a text of several lines with codes for invisible characters; line ends and tabs stay."""
    return "\n".join("\t".join(map(visible, line.split("\t"))) for line in str(text).split("\n"))


def _is_hidden(character: str) -> bool:
    if character == " ":
        return False
    selector = "\ufe00" <= character <= "\ufe0f" or "\U000e0100" <= character <= "\U000e01ef"
    return selector or character in BLANK or unicodedata.category(character) in HIDDEN


def _shows(text: str, place: int) -> bool:
    """Whether an invisible character changes how its neighbours look: then it hides nothing."""
    character, before, after = text[place], text[:place][-1:], text[place + 1 : place + 2]
    if character == AS_EMOJI:
        return _is_picture(before) or before in SIGNS_TOO or (after == KEYCAP and before in set("0123456789#*"))
    if character not in (NON_JOINER, JOINER):
        return False
    if _joins(before):
        # a letter's half form, also at the end of a word
        return _joins(after) or (character == JOINER and unicodedata.combining(before) == VIRAMA)
    return character == JOINER and _is_picture(text[:place].rstrip(AS_EMOJI)[-1:]) and _is_picture(after)


def _is_picture(character: str) -> bool:
    """Whether it is an emoji or its skin tone."""
    if not character or character in PICTURES_TOO:
        return bool(character)
    return unicodedata.category(character) in ("So", "Sk") and character > "\u2000"


def _joins(character: str) -> bool:
    """Whether it is a letter or mark of a script whose letters change beside a joiner."""
    if not character or unicodedata.category(character)[0] not in "LM":
        return False
    return unicodedata.name(character, "").partition(" ")[0] in JOINING_SCRIPTS


def _code(character: str) -> str:
    number = ord(character)
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
