"""End each command with an exit code and, if it fails, with one message on stderr."""

from __future__ import annotations

import re
import signal
import sys
import warnings
from collections.abc import Sequence
from typing import Any, NoReturn

import typer

from detreduce.cli.help import Group
from detreduce.cli.output import waiting
from detreduce.cli.signals import ended_by_signals, received_signal
from detreduce.cli.streams import forget_output, open_closed_streams
from detreduce.dataset.output_name import free_name
from detreduce.display.progress import tell
from detreduce.display.terminal_text import ERROR, WARNING, visible_lines
from detreduce.errors import DetreduceError, DetreduceWarning, InputError, nearest

DONE = 0
FAILED = 1
BAD_INPUT = 2
INTERRUPTED = 130
CODES = (
    f"{DONE} done, {FAILED} failed, {BAD_INPUT} bad input or usage, {INTERRUPTED} interrupted, "
    "128 + n ended by signal n"
)

# the training arguments that people write most often; ultralytics itself takes seconds to import
TRAINING = {"epochs", "imgsz", "batch", "lr0", "device", "workers", "seed", "optimizer", "freeze", "mosaic", "patience"}

# typer has no public name for this class of errors: wrong values, options and commands
UsageError: Any = typer.BadParameter.__bases__[0]


class Program(Group):
    """A group of commands that ends with one of the exit codes in `CODES`.

    Detreduce's own errors, wrong usage and errors of the system become one message on stderr. Any other exception is a
    bug and keeps its traceback.
    """

    def main(self, args: Sequence[str] | None = None, *, standalone_mode: bool = True, **more: Any) -> Any:  # type: ignore[override]
        """Run a command line and exit. If `standalone_mode` is False, return the command's result."""
        if not standalone_mode:
            return super().main(args, standalone_mode=False, **more)
        open_closed_streams()
        try:
            code = super().main(args, standalone_mode=False, **more)
        except UsageError as error:
            _tell(usage_message(error))
            code = BAD_INPUT
        sys.exit(code if isinstance(code, int) else DONE)

    def make_context(self, *args: Any, **more: Any) -> Any:
        """Parse a command line and return its context.

        If the user asks for the help of the program, this function prints the help, before `invoke`.
        """
        try:
            return super().make_context(*args, **more)
        except BrokenPipeError:
            forget_output()
            raise typer.Exit(DONE) from None

    def invoke(self, ctx: Any) -> Any:
        """Run the command. If it fails, print the reason and exit with the matching exit code."""
        try:
            with warnings.catch_warnings(), ended_by_signals(), waiting():
                warnings.showwarning = _show_warning
                result = super().invoke(ctx)
                sys.stdout.flush()
                return result
        except DetreduceError as error:
            _leave(f"Error: {error}", BAD_INPUT if isinstance(error, InputError) else FAILED)
        except KeyboardInterrupt as interruption:
            number = received_signal()
            word = "Interrupted" if number is None else f"Ended by {signal.Signals(number).name}"
            message = ": ".join(part for part in (word, str(interruption)) if part) + "."
            _leave(message, INTERRUPTED if number is None else 128 + number)
        except typer.Abort:
            # after Ctrl-C at a question, the cursor is still in the line of the question
            _leave("\nInterrupted.", INTERRUPTED)
        except BrokenPipeError:
            # the reader closed the pipe, as `| head` does
            forget_output()
            raise typer.Exit(DONE) from None
        except OSError as error:
            if error.errno is None:
                raise
            # an error of the system, for instance a full disk, is not a bug
            where = f"{error.filename}: " if error.filename else ""
            _leave(f"Error: {where}{error.strerror or error}.", FAILED)


def usage_message(error: Any) -> str:
    """Return one line that explains what is wrong with a command line.

    The line has the error, a similar valid name, and the command that shows the help. If the command line does not name
    a command, return the help.
    """
    text = " ".join(str(error.format_message()).replace("Value error, ", "").split()).rstrip(".")
    if error.ctx is None:
        return f"Error: {text}."
    if type(error).__name__ == "NoArgsIsHelpError":
        return str(error.ctx.get_help())
    if type(error).__name__ == "NoSuchOption":
        name = error.option_name
        known = [option for parameter in error.ctx.command.params for option in parameter.opts]
        text = f"There is no option {name}.{parameter_hint(error.ctx.command.name, name) or nearest(name, known)}"
    elif type(error).__name__ == "MissingParameter" and "--output" in (error.param.opts if error.param else ()):
        example = {"proxy": "proxy.npz", "weights": "weights.csv", "export": "kept.txt"}.get(error.ctx.command.name)
        text += f". Name a new folder or file for the result, for instance --output {free_name(example or 'reduced')}"
    elif type(error).__name__ == "MissingParameter" and error.param and error.param.name == "data":
        text += ". Name the dataset, for instance data.yaml or a folder of images"
    elif choice := re.search(r"'([^']*)' is not one of (.+)$", text):
        text += "." + nearest(choice[1], re.findall(r"'([^']*)'", choice[2]))
    elif isinstance(error.__cause__, ValueError) and "input" in (detail := _detail(error.__cause__)):
        text += f"; it is {detail['input']!r}"
        if str(detail.get("type", "")).startswith("int_"):
            text = f"{text.partition(':')[0]}: {detail['input']!r} is not a whole number"
    return f"Error: {text}{'' if text[-1] in '.?' else '.'} See `{error.ctx.command_path} --help`."


def parameter_hint(command: str | None, option: str) -> str:
    """Return a hint if an option that does not exist is a parameter of a method or of the training, else ""."""
    name = option.lstrip("-").replace("-", "_")
    if command == "reduce":
        from detreduce.reducers.catalogue import described
        from detreduce.reducers.registry import BUILT_IN

        users = [one for one in BUILT_IN if name in [parameter.name for parameter in described(one).parameters]]
        if users:
            return f" {name} is a parameter of {', '.join(users)}. Write it without dashes: {name}=VALUE."
    if command in ("train", "proxy") and name in TRAINING:
        return f" {name} is a training argument. Write it without dashes: {name}=VALUE."
    return ""


def _detail(error: Any) -> dict[str, Any]:
    """Return the details that pydantic reports about the first wrong value."""
    return next(iter(error.errors()), {}) if hasattr(error, "errors") else {}


def _leave(message: str, code: int) -> NoReturn:
    """Print a message on stderr and exit with a code."""
    _tell(visible_lines(message))
    raise typer.Exit(code) from None


def _show_warning(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
    """Print a warning of detreduce in one line. Do not print the warnings of libraries."""
    if issubclass(category, DetreduceWarning):
        _tell(visible_lines(f"Warning: {message}"))


def _tell(message: str) -> None:
    """Print a message on stderr. The first word of the message, such as ``Error``, determines the colour."""
    styles = {"Error:": ERROR, "Warning:": WARNING, "Interrupted.": WARNING, "Interrupted:": WARNING}
    tell(message, styles.get(message.lstrip().partition(" ")[0], ""))
