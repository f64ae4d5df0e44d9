"""Damage files: change single bytes, or replace numbers, texts and parts by extreme values."""

from __future__ import annotations

import copy
import html
import io
import json
import random
import re
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

VALUES: tuple[Any, ...] = (
    *(None, True, False, -1, 0, 1, 2**31, 2**63, 2**64, -(2**70), 10**400, 1.5, -0.0, 1e-320, 1e308),
    *(
        float("nan"),
        float("inf"),
        float("-inf"),
        "",
        "x",
        "0",
        "nan",
        "1e999",
        " ",
        "a\0b",
        "\ud800",
        "\u202e",
        "../../x",
    ),
    *("x" * 5000, "9" * 5000, "http://[::1", "=1+1", [], [None], [[1]], ["x"], {}, {"x": 1}, {"x": {"y": []}}, [1] * 5),
)
TOKENS: tuple[bytes, ...] = (
    *(b"null", b"true", b"~", b"-1", b"0", b"1e999", b"-1e999", b"nan", b"NaN", b"Infinity", b".inf", b".nan", b"0x7f"),
    *(b"9" * 20, b"9" * 5000, b"1_000", b"1e-400", b"\xc2\xb2", b"\xd9\xa3", b"2026-01-01", b"12:30:45", b"=", b"<<"),
    *(
        b'""',
        b"''",
        b"[]",
        b"{}",
        b"\0",
        b"\xff\xfe",
        b"\xed\xa0\x80",
        b"\\ud800",
        b"\xef\xbb\xbf",
        b"\x85",
        b"\r",
        b"\t",
    ),
    *(b"[" * 3000, b"[" * 3000 + b"]" * 3000, b'{"a":' * 3000, b"<a>" * 3000, b"- " * 3000, b"<image " * 300),
    *(
        b"&a [*a]",
        b"*a",
        b"&a",
        b"!!python/object/apply:os.getcwd []",
        b"!!binary x",
        b"!!set {a}",
        b"? [a]",
        b"|",
        b"%",
    ),
    *(
        b"&#0;",
        b"&#xD800;",
        b"&x;",
        b"&",
        b"<",
        b"]]>",
        b"<!--",
        b"<![CDATA[",
        b"<!DOCTYPE a [<!ENTITY x 'y'>]>",
        b"/>",
    ),
    *(
        b"..",
        b"../../x",
        b"*",
        b"**",
        b"?",
        b"x" * 300,
        b"x" * 70_000,
        b"./",
        b"~x",
        b"http://[x",
        b"$HOME",
        b"file:///x",
    ),
)
_XML_VALUE = re.compile(rb'(?<==")[^"<>]*(?=")|(?<=>)[^<>]+(?=<)')
_TOKEN = re.compile(rb"[0-9.eE+-]+|\w+|[^\w\s]|\s+")


def mutate(generator: random.Random, name: str, seeds: Sequence[bytes]) -> bytes:
    """Return a damaged copy of one of the `seeds`, which are valid contents of a file called `name`."""
    data = generator.choice(seeds)
    edit = EDITS.get(Path(name).suffix)
    if edit and generator.random() < 0.5:
        data = edit(generator, data)
        if generator.random() < 0.7:
            return data
    for _ in range(generator.choice((1, 1, 1, 2, 3, 8))):
        data = generator.choice(MUTATIONS)(generator, data, seeds)
    return data


def _flip(generator: random.Random, data: bytes, seeds: Sequence[bytes]) -> bytes:
    changed = bytearray(data or b"\0")
    for _ in range(generator.choice((1, 1, 4, 30))):
        at = generator.randrange(len(changed))
        changed[at] = (
            changed[at] ^ 1 << generator.randrange(8) if generator.random() < 0.5 else generator.randrange(256)
        )
    return bytes(changed)


def _span(generator: random.Random, data: bytes) -> tuple[int, int]:
    start = generator.randint(0, len(data))
    return start, min(len(data), start + generator.choice((1, 2, 8, 40, 400)))


def _cut(generator: random.Random, data: bytes, seeds: Sequence[bytes]) -> bytes:
    start, end = _span(generator, data)
    return data[:start] if generator.random() < 0.4 else data[:start] + data[end:]


def _double(generator: random.Random, data: bytes, seeds: Sequence[bytes]) -> bytes:
    start, end = _span(generator, data)
    return data[:start] + data[start:end] * generator.choice((2, 2, 3, 50)) + data[end:]


def _splice(generator: random.Random, data: bytes, seeds: Sequence[bytes]) -> bytes:
    other = generator.choice(seeds)
    start, end = _span(generator, other)
    at = generator.randint(0, len(data))
    return data[:at] + (other[start:] if generator.random() < 0.5 else other[start:end] + data[at:])


def _replace(generator: random.Random, data: bytes, seeds: Sequence[bytes]) -> bytes:
    tokens = list(_TOKEN.finditer(data))
    if not tokens:
        return generator.choice(TOKENS)
    old = generator.choice(tokens)
    return data[: old.start()] + generator.choice(TOKENS) + data[old.end() :]


def _insert(generator: random.Random, data: bytes, seeds: Sequence[bytes]) -> bytes:
    at = generator.choice((0, len(data), generator.randint(0, len(data))))
    return data[:at] + generator.choice(TOKENS) + data[at:]


def _recode(generator: random.Random, data: bytes, seeds: Sequence[bytes]) -> bytes:
    return data.decode("latin-1").encode(
        generator.choice(("utf-16", "utf-16-le", "utf-32", "utf-8-sig", "cp037")), "replace"
    )


# an input with replaced tokens reaches deeper into a parser than an input with changed bytes
MUTATIONS = (_flip, _cut, _double, _splice, _insert, _insert, _replace, _replace, _replace, _replace, _recode)


def _edit_json(generator: random.Random, data: bytes) -> bytes:
    """Return a JSON text, in which some values are replaced, removed, doubled or added."""
    content = json.loads(data)
    for _ in range(generator.choice((1, 1, 2, 5))):
        inside = list(_containers(content))
        if not inside:
            break
        holder = generator.choice(inside)
        keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
        key = generator.choice(keys)
        what = generator.random()
        if what < 0.6:
            holder[key] = copy.deepcopy(generator.choice(VALUES))
        elif what < 0.75:
            del holder[key]
        elif isinstance(holder, list):
            holder.append(copy.deepcopy(holder[key]))
        else:
            holder[generator.choice(("x", "", "id", "0", str(key).upper()))] = copy.deepcopy(holder[key])
    return json.dumps(content).encode()


def _containers(value: Any) -> Iterator[Any]:
    """Yield all lists and dicts in a JSON value that are not empty."""
    if isinstance(value, dict | list) and value:
        yield value
        for part in value.values() if isinstance(value, dict) else value:
            yield from _containers(part)


def _edit_arrays(generator: random.Random, data: bytes) -> bytes:
    """Return an .npz archive with damaged arrays. Its checksums are valid, so that a parser reads the arrays."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    for _ in range(generator.choice((1, 1, 2))):
        name = generator.choice(list(members))
        what = generator.random()
        if what < 0.1:
            del members[name]
            if not members:
                break
        elif what < 0.2:
            members[name] = generator.choice(list(members.values()))
        elif what < 0.5:
            # the first 128 bytes contain the shape, the type and the order as a Python literal
            header = _replace(generator, members[name][10:128], ())[:60_000]
            members[name] = members[name][:8] + len(header).to_bytes(2, "little") + header + members[name][128:]
        elif what < 0.6:
            start = members[name].find(b"{", 128)
            text = members[name][start:] if start > 0 else b"{}"
            facts = _edit_json(generator, text) if text.endswith(b"}") else text
            members[name] = _array_of(facts)
        else:
            members[name] = generator.choice(MUTATIONS)(generator, members[name], list(members.values()))
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return made.getvalue()


def _edit_yaml(generator: random.Random, data: bytes) -> bytes:
    """Return a YAML text, in which some values are replaced, removed, doubled or added. It is written as JSON."""
    import yaml

    return _edit_json(generator, json.dumps(yaml.safe_load(data)).encode())


def _edit_xml(generator: random.Random, data: bytes) -> bytes:
    """Return an XML text, in which some texts and attributes are replaced. It is still well-formed."""
    for _ in range(generator.choice((1, 1, 2, 5))):
        old = generator.choice(list(_XML_VALUE.finditer(data)))
        new = html.escape(str(generator.choice(VALUES))).encode("ascii", "replace").replace(b"\0", b"?")
        data = data[: old.start()] + new + data[old.end() :]
    return data


EDITS = {".json": _edit_json, ".npz": _edit_arrays, ".yaml": _edit_yaml, ".xml": _edit_xml}


def _array_of(content: bytes) -> bytes:
    import numpy as np

    file = io.BytesIO()
    np.lib.format.write_array(file, np.frombuffer(content, np.uint8))
    return file.getvalue()
