"""The controls on all images: their keys in an experiment, and what people read of them."""

from __future__ import annotations

FULL, EQUAL_ITERATIONS = "full", "full_equal_iterations"
EQUAL_STEPS = "all images, as many steps"
"""The name of `EQUAL_ITERATIONS`: all images, in as many batches and optimiser steps as a reduced cell."""
