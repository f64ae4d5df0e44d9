"""What the server may do: the folder of its files, overwriting, and weights. Paths of clients are checked here."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from detreduce.errors import InputError, MissingFileError

BACKBONE = "efficientnet-lite0"


@dataclass(frozen=True, slots=True)
class Limits:
    """What the server may do.

    Attributes
    ----------
    root
        The folder of all inputs and outputs, as an absolute path without links.
    overwrite
        Whether outputs of detreduce may be replaced.
    weights
        Whether weights below `root` may be loaded. Loading weights can run code from the file.
    cache
        The cache folder. None means the user's cache folder.
    """

    root: Path
    overwrite: bool = False
    weights: bool = False
    cache: Path | None = None

    @classmethod
    def of(cls, root: Path, *, overwrite: bool = False, weights: bool = False, cache: Path | None = None) -> Limits:
        """Check the folder and return the limits. Raise InputError if `root` is not a folder."""
        if not root.is_dir():
            raise InputError(f"--root {root} is not a folder. Name the folder of the datasets.")
        return cls(root.resolve(), overwrite, weights, None if cache is None else cache.expanduser().resolve())

    def find_input(self, text: str, what: str) -> Path:
        """Return the real path of a file or folder that a client names.

        A relative path starts from the root. `what` names the input in messages. Raise InputError if the path leads out
        of the root, and MissingFileError if nothing is there.
        """
        path = self._below(text, what)
        if not os.path.lexists(path):
            raise MissingFileError(f"The {what} {text!r} does not exist below {self.root}.")
        return path

    def find_output(self, text: str) -> Path:
        """Return the real path of an output that a client names. Raise InputError if the path is not below the root."""
        path = self._below(text, "output")
        if path == self.root:
            raise InputError(f"The output {text!r} is the folder of the server itself. Name a new folder below it.")
        return path

    def find_backbone(self, text: str) -> str:
        """Return the option for a backbone that a client names.

        Raise InputError if the backbone needs weights that the server may not load.
        """
        kind, colon, place = text.partition(":")
        if text == BACKBONE:
            return text
        if colon and kind == "file":
            return f"file:{self.find_input(place, 'file of features')}"
        if colon and kind == "yolo" and self.weights:
            return f"yolo:{self.find_input(place, 'file of weights')}"
        if kind == "yolo":
            raise InputError("The server was started without --allow-weights, so it loads no weights.")
        raise InputError(f"The server has no backbone {text!r}. Use {BACKBONE}, file:VECTORS or yolo:WEIGHTS.")

    def _below(self, text: str, what: str) -> Path:
        """Return the real path of `text`. Raise InputError if it is not the root or below it."""
        if not text or "\0" in text:
            raise InputError(f"The {what} {text!r} is not a path.")
        try:
            path = Path(os.path.realpath(self.root / text))
        except OSError as error:
            raise InputError(f"The {what} {text!r} is not a path ({error.strerror}).") from None
        if not path.is_relative_to(self.root):
            raise InputError(
                f"The {what} {text!r} is outside {self.root}, the folder of the server. Name a path below this folder."
            )
        return path
