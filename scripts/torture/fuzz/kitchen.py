"""Make a damaged file, let its parser read it, and return how this ended."""

from __future__ import annotations

import contextlib
import io
import random
import signal
import traceback
import warnings
from dataclasses import dataclass, field
from pathlib import Path

from fuzz.mutations import mutate
from fuzz.parsers import Parser

SECONDS = 5
"""The largest number of processor seconds for one input. Unlike wall-clock time, it does not depend on other
programs.
"""
WAIT = 60
"""The largest number of wall-clock seconds for one input, for inputs that wait. If no signal can interrupt a worker, it
is killed a little later.
"""


class Hang(BaseException):
    """An input took too long. This is not an `Exception`, so that no parser catches it."""


@dataclass
class Kitchen:
    """The valid files of each parser, which are written into the folder of a worker when they are first needed."""

    folder: Path
    seeds: dict[str, list[bytes]] = field(default_factory=dict)

    def place(self, parser: Parser) -> Path:
        """Return the folder with the valid files of a parser."""
        folder = self.folder / parser.name
        if parser.name not in self.seeds:
            folder.mkdir()
            parser.make(folder)
            self.seeds[parser.name] = [(folder / parser.target).read_bytes(), *parser.seeds]
        return folder

    def make(self, parser: Parser, number: int) -> bytes:
        """Return the content of the damaged file with this number."""
        self.place(parser)
        # some valid files contain the path of the working folder, which must not change the inputs
        home = str(self.folder).encode()
        seeds = [seed.replace(home, b"/home") for seed in self.seeds[parser.name]]
        return mutate(random.Random(f"{parser.name} {number}"), parser.target, seeds)

    def try_one(self, parser: Parser, number: int) -> tuple[str, str]:
        """Let a parser read the damaged file with this number.

        Return how this ended, ``read``, ``refused`` or the description of a fault, and the traceback of a fault.
        """
        from detreduce.errors import DetreduceError, DetreduceWarning

        target = self.place(parser) / parser.target
        target.write_bytes(self.make(parser, number))
        signal.signal(signal.SIGALRM, _stop)
        signal.signal(signal.SIGPROF, _stop)
        signal.alarm(WAIT)
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        try:
            with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
                warnings.simplefilter("error")
                warnings.simplefilter("ignore", DetreduceWarning)
                parser.read(target.parents[len(Path(parser.target).parts) - 1])
            end = "read", ""
        except DetreduceError as error:
            chain: BaseException | None = error
            while chain is not None and not isinstance(chain, MemoryError):
                chain = chain.__cause__ or chain.__context__
            end = ("refused", "") if chain is None else ("MemoryError", traceback.format_exc())
        except Hang:
            end = f"longer than {SECONDS} s", traceback.format_exc()
        except BaseException as error:
            end = f"{type(error).__name__}: {str(error)[:120]}", traceback.format_exc()
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
            signal.alarm(0)
        return end


def _stop(*_: object) -> None:
    raise Hang
