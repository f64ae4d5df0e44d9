"""How a command ends: one message on stderr where it cannot go on, and an exit code that scripts can rely on."""

from __future__ import annotations

import os
import re
import sys
import warnings
from collections.abc import Sequence
from typing import Any, NoReturn

import typer

from detreduce.cli.help import Group
from detreduce.cli.output import waiting
from detreduce.display.progress import tell
from detreduce.display.terminal_text import visible_lines
from detreduce.errors import DetreduceError, DetreduceWarning, InputError, nearest

DONE = 0
FAILED = 1
BAD_INPUT = 2
INTERRUPTED = 130
CODES = f"{DONE} done, {FAILED} failed, {BAD_INPUT} bad input or usage, {INTERRUPTED} interrupted"

# typer has no public name for it; wrong values, options and commands are all of this class
UsageError: Any = typer.BadParameter.__bases__[0]


class Program(Group):
    """A group of commands that ends in one of the exit codes above, whatever happens.

    Errors raised on purpose, wrong usage and what the system refuses are one message on stderr; anything else is a
    mistake of detreduce and keeps its traceback.
    """

    def main(self, args: Sequence[str] | None = None, *, standalone_mode: bool = True, **more: Any) -> Any:  # type: ignore[override]
        """Run a command line and exit; without `standalone_mode`, as typer does."""
        if not standalone_mode:
            return super().main(args, standalone_mode=False, **more)
        try:
            code = super().main(args, standalone_mode=False, **more)
        except UsageError as error:
            tell(usage_message(error))
            code = BAD_INPUT
        sys.exit(code if isinstance(code, int) else DONE)

    def invoke(self, ctx: Any) -> Any:
        """Run the command, or say why it could not go on and leave with its exit code."""
        try:
            with warnings.catch_warnings(), waiting():
                warnings.showwarning = _show_warning
                result = super().invoke(ctx)
                sys.stdout.flush()
                return result
        except DetreduceError as error:
            _leave(f"Error: {error}", BAD_INPUT if isinstance(error, InputError) else FAILED)
        except KeyboardInterrupt as interruption:
            _leave(": ".join(part for part in ("Interrupted", str(interruption)) if part) + ".", INTERRUPTED)
        except typer.Abort:
            # Ctrl-C at a question, whose line is not ended
            _leave("\nInterrupted.", INTERRUPTED)
        except BrokenPipeError:
            # the reader of a pipe has closed it, as `| head` does
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(DONE) from None
        except OSError as error:
            if error.errno is None:
                raise
            # what the system says of a disk or a file, not a mistake of the program
            where = f"{error.filename}: " if error.filename else ""
            _leave(f"Error: {where}{error.strerror or error}.", FAILED)


def usage_message(error: Any) -> str:
    """One line of what is wrong with a command line, the nearest that is right, and where to read on.

    The help itself where there is no command.
    """
    text = " ".join(str(error.format_message()).replace("Value error, ", "").split()).rstrip(".")
    if error.ctx is None:
        return f"Error: {text}."
    if type(error).__name__ == "NoArgsIsHelpError":
        return str(error.ctx.get_help())
    if type(error).__name__ == "NoSuchOption":
        name = error.option_name
        known = [option for parameter in error.ctx.command.params for option in parameter.opts]
        text = f"There is no option {name}.{nearest(name, known)}"
    elif choice := re.search(r"'([^']*)' is not one of (.+)$", text):
        text += "." + nearest(choice[1], re.findall(r"'([^']*)'", choice[2]))
    elif isinstance(error.__cause__, ValueError) and "input" in (detail := _detail(error.__cause__)):
        text += f"; it is {detail['input']!r}"
    return f"Error: {text}{'' if text[-1] in '.?' else '.'} See `{error.ctx.command_path} --help`."


def _detail(error: Any) -> dict[str, Any]:
    """What pydantic says of the first wrong value."""
    return next(iter(error.errors()), {}) if hasattr(error, "errors") else {}


def _leave(message: str, code: int) -> NoReturn:
    tell(visible_lines(message))
    raise typer.Exit(code) from None


def _show_warning(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
    """Detreduce's own warnings in one line; those of libraries stay out of the way."""
    if issubclass(category, DetreduceWarning):
        tell(visible_lines(f"Warning: {message}"))
