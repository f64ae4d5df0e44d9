"""Run an `ImageJob` that also computes a second vector of each frame of a video, in the same pass."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from detreduce.images.alongside import Alongside, fill_left_out, nothing_more
from detreduce.images.job import Array, ImageJob, ImageVectors

FRAMES_AT_RISK = 32
"""Vectors are written to disk after this number of frames, or after a batch if it is larger."""


def run_alongside(job: ImageJob[Any], alongside: Alongside, pool: Executor, ahead: int) -> None:
    """Run a job together with `alongside`. A frame that `alongside` leaves out does not pass through the network.

    At the end, `alongside` may need frames that had been left out. The job runs again for these frames.
    """
    _WithSecond(alongside, job).run(pool, ahead)


@dataclass(frozen=True)
class _WithSecond:
    """A run of `job` that also computes the vectors of `alongside` for frames of videos."""

    alongside: Alongside
    job: ImageJob[Any]

    @property
    def kinds(self) -> Sequence[ImageVectors]:
        """The vectors that the job computes."""
        return self.job.vectors

    def run(self, pool: Executor, ahead: int) -> None:
        job = self.job
        both: ImageJob[Any] = replace(
            job,
            vectors=[*self.kinds, self.alongside.vectors],
            prepare=lambda row, data: (job.prepare(row, data), self.alongside.prepare(row, data)),
            compute=self._compute,
            settle=self._settle,
            recalled=self._recalled,
            batch=max(job.batch, FRAMES_AT_RISK),
            failures=job.failures,
        )
        both.run(pool, ahead)
        job.computed += both.computed
        self.alongside.finish(job.failures)
        # after a run that was killed, a frame may be needed that was not decoded
        needed = [row for row in range(len(job.paths)) if row not in self.alongside.left_out]
        for vectors in self.kinds:
            values = vectors.array()
            for row in needed:
                part = slice(int(vectors.starts[row]), int(vectors.starts[row + 1]))
                vectors.filled[part] &= np.isfinite(values[part]).all(axis=1)
        job.run(pool, ahead)

    def _recalled(self) -> None:
        self.alongside.start()
        fill_left_out(self.alongside, self.kinds)

    def _settle(self, row: int, prepared: tuple[Any, Array]) -> Sequence[Array] | None:
        second = prepared[1]
        return None if self.alongside.needed(row, second) else nothing_more(row, second, self.kinds)

    def _compute(self, images: Iterator[tuple[int, tuple[Any, Array]]]) -> Iterator[tuple[int, list[Array]]]:
        """Yield the row of each image, with the vectors of the network followed by the vector of `alongside`."""
        seconds: dict[int, Array] = {}

        def inputs() -> Iterator[tuple[int, Any]]:
            for row, (image, second) in images:
                seconds[row] = second
                yield row, image

        for row, arrays in self.job.compute(inputs()):
            yield row, [*arrays, seconds.pop(row)]
