"""Find damaged JPEG files: those without an end marker, and those with damaged content."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from detreduce.machine.processors import processors
from detreduce.machine.untrusted.decoder_messages import damage_in
from detreduce.machine.untrusted.regular_files import open_regular

START, END = b"\xff\xd8", b"\xff\xd9"
_MARK = "detreduce image "
_CHILD = f"""
import os, sys
import cv2, numpy
cv2.setNumThreads(1)
for number, name in enumerate(sys.stdin.buffer.read().split(bytes(1))):
    try:
        with open(name, "rb") as file:
            data = file.read()
    except OSError:
        continue
    if data[:2] == {START!r}:
        os.write(2, b"\\n{_MARK}%d\\n" % number)
        try:
            cv2.imdecode(numpy.frombuffer(data, numpy.uint8), cv2.IMREAD_REDUCED_GRAYSCALE_8)
        except cv2.error:
            pass
"""


def lacks_end_marker(path: Path) -> bool:
    """Return whether a file is a JPEG file without an end marker. The suffix of the file does not matter.

    Ultralytics rewrites such files in place, even if they are links to the original files. Only four bytes are read.
    Raise OSError if the file cannot be read.
    """
    with open_regular(path) as file:
        if file.read(2) != START:
            return False
        file.seek(0, os.SEEK_END)
        file.seek(max(2, file.tell() - 2))
        return file.read() != END


def damaged_jpegs(paths: Sequence[Path]) -> dict[Path, str]:
    """Find JPEG files with damage that decoders do not report as an error. Return libjpeg's message about each of them.

    libjpeg reports such damage only on the standard error stream. Therefore, the files are decoded in child processes,
    whose streams are read. Files that cannot be read or have another format are skipped.
    """
    workers = max(1, min(processors(), len(paths) // 20))
    parts = [paths[start::workers] for start in range(workers)]
    with ThreadPoolExecutor(workers) as pool:
        return {path: words for found in pool.map(_damaged_in, parts) for path, words in found.items()}


def confirmed_damage(suspects: Sequence[Path]) -> list[tuple[Path, str]]:
    """Return the damaged files among `suspects`, each with libjpeg's message.

    The files are decoded again in child processes. If the machine cannot start such a process, all suspects are
    returned.
    """
    if not suspects:
        return []
    try:
        found = damaged_jpegs(suspects)
    except OSError as error:
        return [(path, f"perhaps: {error}") for path in suspects]
    return [(path, found[path]) for path in suspects if path in found]


def _damaged_in(paths: Sequence[Path]) -> dict[Path, str]:
    """Decode some files in a child process. Return libjpeg's message about each damaged file."""
    names = b"\0".join(os.fsencode(path.absolute()) for path in paths)
    said = subprocess.run([sys.executable, "-c", _CHILD], input=names, capture_output=True, check=False).stderr
    found: dict[Path, str] = {}
    at: Path | None = None
    for line in said.decode("utf-8", "replace").splitlines():
        if line.startswith(_MARK):
            at = paths[int(line.removeprefix(_MARK))]
        elif at is not None and (damage := damage_in([line])):
            found.setdefault(at, damage)
    return found
