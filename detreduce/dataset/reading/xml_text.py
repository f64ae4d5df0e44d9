"""Parse XML with small repairs: correct a wrongly declared encoding, and read a bare ``&`` as text."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from detreduce.dataset.reading.text_lines import is_utf16

_DECLARATION = re.compile(rb"^\s*<\?xml[^>]*?\bencoding\s*=\s*[\"']([A-Za-z0-9._:-]+)[\"'][^>]*\?>")
_TEXT_DECLARATION = re.compile(r"^\ufeff?\s*<\?xml[^>]*\?>")
_BARE_AMPERSAND = re.compile(r"&(?!#[0-9]+;|#x[0-9a-fA-F]+;|[A-Za-z_:][\w:.-]*;)")


def parse_xml(data: bytes) -> tuple[ElementTree.Element, list[str]]:
    """Parse XML. Return the root element, and descriptions of the repairs.

    Raise ElementTree.ParseError if the XML is broken, ValueError if the bytes do not have the declared encoding, and
    LookupError if the encoding is unknown. External files are not loaded, and the expansion of entities is limited.
    """
    text, found = decode_xml(data)
    try:
        return ElementTree.fromstring(text), found
    except ElementTree.ParseError:
        repaired, count = _BARE_AMPERSAND.subn("&amp;", text)
        if not count:
            raise
        return ElementTree.fromstring(repaired), [*found, f"not valid XML: {count} '&' are not '&amp;'; read as text"]


def decode_xml(data: bytes) -> tuple[str, list[str]]:
    """Decode XML. Return the text without its XML declaration, and a list of descriptions.

    If the declared encoding is wrong, the list contains a description of this. Otherwise, the list is empty.
    Raise ValueError if the bytes do not have the declared encoding, and LookupError if the encoding is unknown.
    """
    found: list[str] = []
    if is_utf16(data):
        encoding = "utf-16"
    elif data[:3] == b"\xef\xbb\xbf":
        encoding = "utf-8-sig"
    else:
        match = _DECLARATION.match(data[:1000])
        encoding = match[1].decode("ascii") if match else "utf-8"
        if encoding.lower().replace("_", "-").startswith(("utf-16", "ucs-2", "utf-32")):
            # if the declaration itself is in ASCII, the file cannot be UTF-16
            found.append(f"declares {encoding}, but has another encoding; read as UTF-8")
            encoding = "utf-8"
    text = data.decode(encoding)
    if not isinstance(text, str):
        raise LookupError(f"{encoding} is not an encoding of text")
    return _TEXT_DECLARATION.sub("", text, count=1), found
