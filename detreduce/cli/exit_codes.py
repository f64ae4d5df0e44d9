"""End each command with an exit code. If the command fails, also print one message on stderr."""

from __future__ import annotations

import re
import shlex
import signal
import sys
import warnings
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any, NoReturn

import typer

from detreduce.cli.help import Group
from detreduce.cli.output import expect_output, print_json_error, waiting
from detreduce.cli.signals import ended_by_signals, received_signal
from detreduce.cli.streams import forget_output, open_closed_streams
from detreduce.dataset.paths.output_name import free_name
from detreduce.display.progress import tell
from detreduce.display.terminal_text import ERROR, WARNING, visible_lines
from detreduce.errors import DetreduceError, DetreduceWarning, InputError, MissingFileError, nearest

DONE = 0
FAILED = 1
BAD_INPUT = 2
INTERRUPTED = 130
CODES = (
    f"{DONE} done, {FAILED} failed, {BAD_INPUT} bad input or usage, {INTERRUPTED} interrupted, "
    "128 + n ended by signal n"
)

# the training arguments that users set most often; a full list would need ultralytics, which takes seconds to import
TRAINING = {"epochs", "imgsz", "batch", "lr0", "device", "workers", "seed", "optimizer", "freeze", "mosaic", "patience"}

# the base class of typer's errors about wrong values, options and commands; typer has no public name for it
UsageError: Any = typer.BadParameter.__bases__[0]


SYNONYMS = {
    "time": ("--minutes", "--max-hours"),
    "hours": ("--max-hours", "--minutes"),
    "energy": ("--budget-wh", "--max-wh"),
    "wh": ("--budget-wh", "--max-wh"),
    "budget": ("--budget-wh",),
    "name": ("--image", "--output"),
    "out": ("--output",),
    "dest": ("--output",),
    "force": ("--overwrite",),
    "fraction": ("--keep",),
    "percent": ("--keep",),
    "number": ("--keep",),
    "classes": ("--class-floor",),
}
"""Words that people write -> options that may be meant, the most likely first."""


class Program(Group):
    """The group of all commands. Each command ends with one of the exit codes in `CODES`.

    Errors that detreduce raises, wrong usage and errors of the operating system become one message on stderr. With
    ``--json``, they are also printed as JSON on stdout. Any other exception is a bug and keeps its traceback.
    """

    _as_json = False

    def main(self, args: Sequence[str] | None = None, *, standalone_mode: bool = True, **more: Any) -> Any:  # type: ignore[override]
        """Run a command line and exit. If `standalone_mode` is False, return the result of the command instead."""
        if not standalone_mode:
            return super().main(args, standalone_mode=False, **more)
        open_closed_streams()
        expect_output()
        words = list(sys.argv[1:] if args is None else args)
        # look at the words, because wrong usage is found before the options have values
        self._as_json = "--json" in (words[: words.index("--")] if "--" in words else words)
        try:
            code = super().main(args, standalone_mode=False, **more)
        except UsageError as error:
            message = usage_message(error)
            _tell(message)
            if self._as_json:
                print_json_error("usage", message.removeprefix("Error: "), BAD_INPUT)
            code = BAD_INPUT
        sys.exit(code if isinstance(code, int) else DONE)

    def make_context(self, *args: Any, **more: Any) -> Any:
        """Parse a command line and return its context.

        For `detreduce --help`, this method already prints the help, so a closed pipe is handled here too.
        """
        try:
            return super().make_context(*args, **more)
        except BrokenPipeError:
            forget_output()
            raise typer.Exit(DONE) from None

    def invoke(self, ctx: Any) -> Any:
        """Run the command. If it fails, print the reason and exit with the exit code for this kind of failure."""
        try:
            with warnings.catch_warnings(), ended_by_signals(), waiting():
                warnings.showwarning = _show_warning
                result = super().invoke(ctx)
                sys.stdout.flush()
                return result
        except DetreduceError as error:
            self._leave(f"Error: {error}", BAD_INPUT if isinstance(error, InputError) else FAILED, _kind(error))
        except KeyboardInterrupt as interruption:
            number = received_signal()
            word = "Interrupted" if number is None else f"Ended by {signal.Signals(number).name}"
            message = ": ".join(part for part in (word, str(interruption)) if part) + "."
            self._leave(message, INTERRUPTED if number is None else 128 + number, "interrupted")
        except typer.Abort:
            # after Ctrl-C at a question, the cursor is still on the line of the question
            self._leave("\nInterrupted.", INTERRUPTED, "interrupted")
        except BrokenPipeError:
            # the program that reads our output has closed the pipe, as `| head` does
            forget_output()
            raise typer.Exit(DONE) from None
        except OSError as error:
            if error.errno is None:
                raise
            # an error of the operating system, for instance a full disk, is not a bug of detreduce
            where = f"{error.filename}: " if error.filename else ""
            self._leave(f"Error: {where}{error.strerror or error}.", FAILED, "machine")

    def _leave(self, message: str, code: int, kind: str) -> NoReturn:
        """Print a message on stderr, and with ``--json`` also as JSON on stdout. Then end with the exit code."""
        _tell(visible_lines(message))
        if self._as_json:
            print_json_error(kind, message.strip().removeprefix("Error: "), code)
        raise typer.Exit(code) from None


def _kind(error: DetreduceError) -> str:
    """Return the kind of an error for the JSON on stdout."""
    if isinstance(error, MissingFileError):
        return "missing_file"
    return "input" if isinstance(error, InputError) else "machine"


def usage_message(error: Any) -> str:
    """Return one line that explains what is wrong with a command line.

    The line contains the error, the most similar valid name, and the command that shows the help. If the command line
    contains no command at all, return the help instead.
    """
    text = " ".join(str(error.format_message()).replace("Value error, ", "").split()).rstrip(".")
    if error.ctx is None:
        return f"Error: {text}."
    if type(error).__name__ == "NoArgsIsHelpError":
        return str(error.ctx.get_help())
    if type(error).__name__ == "NoSuchOption":
        name = error.option_name
        known = [option for parameter in error.ctx.command.params for option in parameter.opts]
        text = f"There is no option {name}.{parameter_hint(error.ctx.command.name, name) or near_option(name, known)}"
    elif "unexpected extra argument" in text and error.ctx.command.name == "explain":
        name = re.search(r"\(([^()]*)\)$", text)
        text = f"To explain one image, write --image {shlex.quote(name[1]) if name else 'NAME'}"
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


def near_option(name: str, known: list[str]) -> str:
    """Suggest an option with the same meaning or a similar name, for example `` Did you mean '--keep'?``.

    If there is no such option, return an empty string.
    """
    words = {option.lstrip("-"): option for option in known}
    meant = [option for option in SYNONYMS.get(name.lstrip("-"), ()) if option in known]
    found = [words[word] for word in get_close_matches(name.lstrip("-"), words, n=1, cutoff=0.65)]
    return "".join(f" Did you mean {option!r}?" for option in (meant or found)[:1])


def parameter_hint(command: str | None, option: str) -> str:
    """Return a hint if `option` must be written without dashes, such as ``epochs=50`` in place of ``--epochs 50``.

    This is the case for the parameters of a method and for training arguments. For any other option, return an empty
    string.
    """
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
    """Return what pydantic reports about the first invalid value, or an empty dict for other errors."""
    return next(iter(error.errors()), {}) if hasattr(error, "errors") else {}


def _show_warning(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
    """Print a warning of detreduce as one line. Warnings of other libraries are not printed."""
    if issubclass(category, DetreduceWarning):
        _tell(visible_lines(f"Warning: {message}"))


def _tell(message: str) -> None:
    """Print a message on stderr, in a colour that depends on its first word, such as ``Error:``."""
    styles = {"Error:": ERROR, "Warning:": WARNING, "Interrupted.": WARNING, "Interrupted:": WARNING}
    tell(message, styles.get(message.lstrip().partition(" ")[0], ""))
