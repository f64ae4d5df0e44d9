"""Read the images of a training or evaluation as ultralytics does, and report which of them are damaged."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path
from typing import Any

from detreduce.dataset.health.jpeg import confirmed_damage
from detreduce.display.terminal_text import visible
from detreduce.errors import ImageReadError, InputError
from detreduce.machine.untrusted.decoder_messages import quiet_decoders
from detreduce.machine.untrusted.image_files import check_pages, opened_image
from detreduce.machine.untrusted.regular_files import is_regular

_printed: set[str] = set()


def read_image_quietly(filename: str | Path, *args: Any, **kwargs: Any) -> Any:
    """Read an image with ultralytics' `imread`. Messages of the decoder become one warning with the name of the file.

    In the main process, the warning goes to ultralytics' log. A worker process prints it once per file. Raise
    InputError for a TIFF whose pages together exceed the pixel limit, because ultralytics decodes all pages. Return
    None if the path is not a regular file.
    """
    from torch.utils.data import get_worker_info
    from ultralytics.utils import LOGGER
    from ultralytics.utils.patches import imread

    if not is_regular(filename):
        return None
    _check_pages(Path(filename))
    with quiet_decoders() as suspicion:
        image = imread(filename, *args, **kwargs)
        suspect = suspicion()
    damage = _damage(Path(filename).resolve()) if suspect else ""
    if damage:
        warning = f"{Path(filename).resolve()}: damaged; the decoder fills in missing parts ({damage})"
        if get_worker_info() is None:
            LOGGER.warning(warning)
        elif warning not in _printed:
            _printed.add(warning)
            print(visible(f"Warning: {warning}"), file=sys.stderr, flush=True)
    return image


@cache
def _damage(file: Path) -> str:
    """Return the decoder's message about the damage in a file, or an empty text."""
    return "".join(why for _, why in confirmed_damage([file]))


def _check_pages(file: Path) -> None:
    if file.suffix.lower() not in (".tif", ".tiff"):
        return
    try:
        with opened_image(file) as image:
            check_pages(image)
    except ImageReadError as error:
        raise InputError(f"{file.resolve()}: {error}. Remove the image, or keep one page.") from None
    except (OSError, EOFError):
        return  # ultralytics reports what is wrong with the file
