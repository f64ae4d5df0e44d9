"""Reduce a dataset. Python, the command line and experiments use the same request, checks and steps."""

from __future__ import annotations

from detreduce.vocabulary.public_names import import_at_first_use

# these names are imported at first use, so that arguments can be checked before slow modules are imported
__getattr__ = import_at_first_use(
    __name__,
    {
        "Output": "detreduce.reduction.request",
        "Reduction": "detreduce.reduction.steps",
        "ReductionRequest": "detreduce.reduction.request",
        "ReductionResult": "detreduce.reduction.result",
        "reduce": "detreduce.reduction.run",
        "run_reduction": "detreduce.reduction.run",
    },
)
__all__ = ["Output", "Reduction", "ReductionRequest", "ReductionResult", "reduce", "run_reduction"]
