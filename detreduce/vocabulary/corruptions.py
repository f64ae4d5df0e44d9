"""The corruptions of test images, which show how robust a detector is."""

from __future__ import annotations

from typing import Literal

Corruption = Literal["noise", "blur", "brightness", "jpeg"]
CORRUPTIONS: tuple[Corruption, ...] = ("noise", "blur", "brightness", "jpeg")
SEVERITIES = (1, 3, 5)
"""The severities that are used, of the five of Hendrycks and Dietterich (arXiv 1903.12261)."""
