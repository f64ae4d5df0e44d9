"""The kinds of corruption (such as noise) that are added to test images to measure how robust a detector is."""

from __future__ import annotations

from typing import Literal

Corruption = Literal["noise", "blur", "brightness", "jpeg"]
CORRUPTIONS: tuple[Corruption, ...] = ("noise", "blur", "brightness", "jpeg")
SEVERITIES = (1, 3, 5)
"""The severities that we use. Hendrycks and Dietterich (arXiv 1903.12261) define five, from 1 to 5."""
