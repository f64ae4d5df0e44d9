"""How a command ends: one message on stderr where it cannot go on, and an exit code that scripts can rely on."""

from __future__ import annotations

import os
import sys
import warnings
from typing import Any, NoReturn

import typer
from typer.core import TyperGroup

from detreduce.errors import DetreduceError, DetreduceWarning, InputError

DONE = 0
FAILED = 1
BAD_INPUT = 2
INTERRUPTED = 130
CODES = f"{DONE} done, {FAILED} failed, {BAD_INPUT} bad input or usage, {INTERRUPTED} interrupted"


# typer has no public name for it; wrong values, options and commands are all of this class
UsageError = typer.BadParameter.__bases__[0]


class Program(TyperGroup):
    """A group of commands that ends in one of the exit codes above, whatever happens.

    Errors raised on purpose, wrong usage and what the system refuses are one message on stderr; anything else is a
    mistake of detreduce and keeps its traceback.
    """

    def invoke(self, ctx: Any) -> Any:
        """Run the command, or say why it could not go on and leave with its exit code."""
        try:
            with warnings.catch_warnings():
                warnings.showwarning = _show_warning
                result = super().invoke(ctx)
                sys.stdout.flush()
                return result
        except DetreduceError as error:
            _leave(f"Error: {error}", BAD_INPUT if isinstance(error, InputError) else FAILED)
        except KeyboardInterrupt as interruption:
            _leave(f"Interrupted. {interruption}".strip(), INTERRUPTED)
        except typer.Abort:
            # Ctrl-C at a question
            _leave("Interrupted.", INTERRUPTED)
        except BrokenPipeError:
            # the reader of a pipe has closed it, as `| head` does
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(DONE) from None
        except OSError as error:
            if error.errno is None:
                raise
            # what the system says of a disk or a file, not a mistake of the program
            _leave(f"Error: {error}", FAILED)


def _leave(message: str, code: int) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(code) from None


def _show_warning(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
    """Detreduce's own warnings in one line; those of libraries stay out of the way."""
    if issubclass(category, DetreduceWarning):
        typer.echo(f"Warning: {message}", err=True)
