"""Run ultralytics without output, telemetry or downloads, and without changing the user's settings."""

from __future__ import annotations

import importlib
import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from detreduce.training.run.loggers import attach_loggers
from detreduce.training.run.reading.quiet_images import read_image_quietly
from detreduce.ultralytics_bridge.pretrained import quiet_ultralytics

_COLOURS = re.compile(r"\x1b\[\d+m")


class _Collector(logging.Handler):
    """A log handler that collects ultralytics' warnings, and its messages about faulty labels and images."""

    # ultralytics reports these problems at the level INFO, as one message with many lines
    TELLING = ("ignoring corrupt", "duplicate labels removed", "corrupt JPEG", "No labels found")

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Collect a warning of ultralytics, unless it has been collected before."""
        for line in record.getMessage().splitlines():
            telling = record.levelno >= logging.WARNING or any(word in line for word in self.TELLING)
            cleaned = _COLOURS.sub("", line).replace("WARNING ⚠️", "").strip()
            if telling and cleaned and cleaned not in self.messages:
                self.messages.append(cleaned)


@contextmanager
def offline_session() -> Iterator[list[str]]:
    """Silence ultralytics and block its network access while the block runs.

    Yield a list to which ultralytics' warnings are appended. After the block, ultralytics' settings are restored. The
    function is not thread-safe, because these settings are module globals of ultralytics.
    """
    quiet_ultralytics()
    import ultralytics.engine.model
    import ultralytics.engine.trainer  # noqa: F401
    from ultralytics.utils import LOGGER, TQDM

    collector = _Collector()
    saved = _replace(_replacements())
    handlers, level, propagate = LOGGER.handlers[:], LOGGER.level, LOGGER.propagate
    LOGGER.handlers[:] = [collector]
    LOGGER.setLevel(logging.INFO)
    LOGGER.propagate = False
    show_bar = TQDM.__init__
    TQDM.__init__ = _silent(show_bar)  # type: ignore[method-assign]
    try:
        yield collector.messages
    finally:
        TQDM.__init__ = show_bar  # type: ignore[method-assign]
        LOGGER.handlers[:] = handlers
        LOGGER.setLevel(level)
        LOGGER.propagate = propagate
        _replace(saved)


def _silent(show_bar: Callable[..., None]) -> Callable[..., None]:
    """Return a constructor for ultralytics' progress bars that hides the bars.

    Ultralytics has no option that disables all progress bars.
    """

    def hide_bar(self: Any, *args: Any, **kwargs: Any) -> None:
        """Create a progress bar that is not shown."""
        show_bar(self, *args, **{**kwargs, "disable": True})

    return hide_bar


def _replacements() -> dict[tuple[str, str], Any]:
    """Return what to replace in ultralytics, as (module, name) -> new value."""
    return {
        ("ultralytics.utils.callbacks", "add_integration_callbacks"): attach_loggers,
        ("ultralytics.utils.checks", "check_pip_update_available"): lambda: False,
        ("ultralytics.utils.checks", "AUTOINSTALL"): False,
        # ultralytics' self-test of mixed precision would download weights
        ("ultralytics.engine.trainer", "check_amp"): lambda model: next(model.parameters()).device.type == "cuda",
        ("ultralytics.data.utils", "check_font"): lambda font="": None,
        ("ultralytics.utils.plotting", "check_font"): lambda font="": None,
        ("ultralytics.utils.downloads", "safe_download"): _no_download,
        ("ultralytics.data.utils", "safe_download"): _no_download,
        ("ultralytics.utils", "VERBOSE"): False,
        ("ultralytics.data.base", "imread"): read_image_quietly,
        ("ultralytics.data.utils", "imread"): read_image_quietly,
    }


def _replace(values: dict[tuple[str, str], Any]) -> dict[tuple[str, str], Any]:
    """Set module attributes, and return their former values. Names that this version of ultralytics lacks are
    skipped.
    """
    former = {}
    for (module_name, name), value in values.items():
        module = importlib.import_module(module_name)
        if hasattr(module, name):
            former[module_name, name] = getattr(module, name)
            setattr(module, name, value)
    return former


def _no_download(url: object = "a file", *args: Any, **kwargs: Any) -> NoReturn:
    raise ConnectionError(
        f"Ultralytics needs {url}, but detreduce trains without network access. Download this file first."
    )
