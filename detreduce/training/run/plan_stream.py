"""Prepare the stream of a training: find the weights or the order of its images, and meter the energy of this
preparation.
"""

from __future__ import annotations

from detreduce.training.energy import EnergyMeter
from detreduce.training.run.folder import RunFolder
from detreduce.training.run.source_rows import rows_by_file
from detreduce.training.streams.plan import StreamPlan
from detreduce.training.streams.stream import Stream

PHASE = "stream"
"""Name of the energy phase."""


def plan_stream(stream: Stream, run: RunFolder, meter: EnergyMeter) -> StreamPlan | None:
    """Return the stream for the images of a run folder. None for a uniform stream, which needs no preparation.

    The energy phase ``stream`` is the energy of this preparation: the search for near-duplicates for
    ``cluster_balanced``, and the features and the order for ``core_first``. It is the energy of the first time: what
    comes from the cache counts as if it were computed now. Raise InputError if the stream does not fit the dataset.
    """
    if stream.by == "uniform":
        return None
    from detreduce.training.streams.resolve import core_order, metered_weights

    rows = rows_by_file(run)
    if stream.by == "core_first":
        order, energy = core_order(run.source, meter=meter)
        plan = StreamPlan(stream, rows, order=order)
    else:
        weights, energy = metered_weights(run.source, stream, meter=meter)
        plan = StreamPlan(stream, rows, weights=weights)
    if energy is not None:
        meter.phases[PHASE] = energy
    return plan
