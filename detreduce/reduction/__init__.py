"""Reduce a dataset: one request with its checks and steps, for Python, the command line and experiments."""

from __future__ import annotations

from detreduce.vocabulary.public_names import import_at_first_use

# imported at first use: names are checked before slow modules are imported
__getattr__ = import_at_first_use(
    __name__,
    {
        "Output": "detreduce.reduction.request",
        "Reduction": "detreduce.reduction.steps",
        "ReductionRequest": "detreduce.reduction.request",
        "ReductionResult": "detreduce.reduction.steps",
        "reduce": "detreduce.reduction.run",
        "run_reduction": "detreduce.reduction.run",
    },
)
__all__ = ["Output", "Reduction", "ReductionRequest", "ReductionResult", "reduce", "run_reduction"]
