"""Run a command of detreduce in a process of its own, and return its JSON.

A process of its own cannot print into the messages of the protocol, can be ended when the client cancels the call, and
gives its memory back. Its environment limits what it may read.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from subprocess import DEVNULL, PIPE
from typing import TYPE_CHECKING, Any

from detreduce.cli.server.limits import Limits
from detreduce.machine.untrusted.confinement import VARIABLE as ROOT

if TYPE_CHECKING:
    from anyio.abc import ByteReceiveStream, Process

PASSED = ("PATH", "HOME", "USERPROFILE", "SYSTEMROOT", "TEMP", "TMP", "TMPDIR", "LANG", "XDG_CACHE_HOME")
"""Environment variables that a command gets. Others could be secret, and a dataset YAML can name variables."""
PREFIXES = ("PYTHON", "DETREDUCE_", "OMP_", "MKL_", "OPENBLAS_", "CUDA_", "LC_", "LD_", "DYLD_")
MOST = 100
"""The number of entries that are left of a longer list, because an agent reads all of the result."""
PATIENCE_SECONDS = 20.0
"""How long a cancelled command may take to remove its unfinished files."""
Report = Callable[[str], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command printed.

    Attributes
    ----------
    content
        The JSON object. If the command failed, it has the key ``error``.
    warnings
        The warnings on stderr.
    """

    content: dict[str, Any]
    warnings: tuple[str, ...] = ()

    @property
    def failed(self) -> bool:
        """Whether the command failed."""
        return set(self.content) == {"error"}


async def run_command(words: Sequence[str], limits: Limits, report: Report) -> Answer:
    """Run ``detreduce WORDS --json`` and return its answer.

    `report` is called with each line on stderr that is no warning and no error. If the call is cancelled, the command
    is ended as Ctrl-C does.
    """
    import anyio

    lines: list[str] = []
    # -P: a file such as numpy.py in the working folder must not be imported
    command = [sys.executable, "-P", "-X", "utf8", "-m", "detreduce", *words, "--json"]
    process = await anyio.open_process(
        command, stdin=DEVNULL, stdout=PIPE, stderr=PIPE, env=_environment(limits), cwd=limits.root.anchor
    )
    try:
        async with anyio.create_task_group() as group:
            assert process.stdout is not None and process.stderr is not None
            group.start_soon(_read_lines, process.stderr, lines, report)
            printed = await _read_all(process.stdout)
        code = await process.wait()
    finally:
        await _end(process)
    warnings = tuple(line for line in lines if line.startswith("Warning:"))
    try:
        content = json.loads(printed)
    except ValueError:
        last = lines[-1] if lines else "no message"
        message = f"The command ended without an answer (exit code {code}): {last}"
        content = {"error": {"kind": "machine", "message": message, "exit_code": code}}
    return Answer(shorten(content), warnings)


def shorten(content: Any) -> Any:
    """Return JSON content without the end of long lists. The key ``left_out`` of an object names what was cut."""
    if isinstance(content, list):
        return [shorten(item) for item in content[:MOST]]
    if not isinstance(content, dict):
        return content
    cut = {name: len(value) - MOST for name, value in content.items() if isinstance(value, list) and len(value) > MOST}
    shown = {name: shorten(value) for name, value in content.items()}
    return {**shown, "left_out": cut} if cut else shown


def _environment(limits: Limits) -> dict[str, str]:
    """Return the environment of a command."""
    passed = {name: value for name, value in os.environ.items() if name in PASSED or name.startswith(PREFIXES)}
    cache = {} if limits.cache is None else {"DETREDUCE_CACHE": str(limits.cache)}
    return {**passed, **cache, ROOT: str(limits.root), "NO_COLOR": "1", "TERM": "dumb"}


async def _read_all(stream: ByteReceiveStream) -> bytes:
    """Return all bytes of a stream."""
    return b"".join([part async for part in stream])


async def _read_lines(stream: ByteReceiveStream, lines: list[str], report: Report) -> None:
    """Append the lines of a stream to `lines`, and report those that tell the progress."""
    rest = b""
    async for part in stream:
        *whole, rest = (rest + part).split(b"\n")
        for line in whole:
            text = line.decode("utf-8", "replace").strip()
            if text:
                lines.append(text)
                if not text.startswith(("Warning:", "Error:")):
                    await report(text)
    if text := rest.decode("utf-8", "replace").strip():
        lines.append(text)


async def _end(process: Process) -> None:
    """End a process that still runs, and wait for its end."""
    import anyio

    with anyio.CancelScope(shield=True):
        if process.returncode is None:
            process.terminate()
            with anyio.move_on_after(PATIENCE_SECONDS):
                await process.wait()
            if process.returncode is None:
                process.kill()
        await process.aclose()
