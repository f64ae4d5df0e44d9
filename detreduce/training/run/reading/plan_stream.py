"""Prepare the stream of a training: compute the weights or the order of its images.

The energy of this preparation is metered.
"""

from __future__ import annotations

from detreduce.training.energy import EnergyMeter
from detreduce.training.run.folder import RunFolder
from detreduce.training.run.reading.source_rows import rows_by_file
from detreduce.training.streams.plan import StreamPlan
from detreduce.training.streams.stream import Stream

PHASE = "stream"
"""Name of the energy phase in which the stream is prepared."""


def plan_stream(stream: Stream, run: RunFolder, meter: EnergyMeter) -> StreamPlan | None:
    """Compute the weights or the order of the images in a run folder. Return None for a uniform stream.

    The energy of this preparation is stored as the phase ``stream``. For ``cluster_balanced``, the phase is the search
    for near-duplicates. For ``core_first``, it is the computation of the features and of the order. If results come
    from the cache, the phase still includes the energy of computing them. Raise InputError if the stream cannot be used
    with the dataset.
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
