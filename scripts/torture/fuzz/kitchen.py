"""Make one damaged file, read it with its parser, and return the result."""

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
"""Longest processor time of one input, which does not depend on other programs."""
WAIT = 60
"""Longest wall-clock time of one input, for inputs that wait. A worker that no signal can interrupt is killed a little
later."""


class Hang(BaseException):
    """An input took longer than `SECONDS`. No parser catches this exception."""


@dataclass
class Kitchen:
    """The valid files of each parser, in the folder of a worker."""

    folder: Path
    seeds: dict[str, list[bytes]] = field(default_factory=dict)

    def place(self, parser: Parser) -> Path:
        """Return the folder of a parser, with valid files."""
        folder = self.folder / parser.name
        if parser.name not in self.seeds:
            folder.mkdir()
            parser.make(folder)
            self.seeds[parser.name] = [(folder / parser.target).read_bytes(), *parser.seeds]
        return folder

    def make(self, parser: Parser, number: int) -> bytes:
        """Return one damaged file."""
        self.place(parser)
        # the working folder is in some seeds: it must not change the inputs
        home = str(self.folder).encode()
        seeds = [seed.replace(home, b"/home") for seed in self.seeds[parser.name]]
        return mutate(random.Random(f"{parser.name} {number}"), parser.target, seeds)

    def try_one(self, parser: Parser, number: int) -> tuple[str, str]:
        """Read one damaged file. Return ``read``, ``refused`` or a fault, and the traceback of a fault."""
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
