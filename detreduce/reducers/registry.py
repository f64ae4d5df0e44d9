"""Find reducers by name: built-in ones, and those that other packages register."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Sequence
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any

from detreduce.errors import InputError, nearest

if TYPE_CHECKING:
    from detreduce.reducers.base import BaseReducer

ENTRY_POINT_GROUP = "detreduce.reducers"

# paths instead of classes, so that listing the names does not import the methods
BUILT_IN = {
    "srs": "detreduce.reducers.methods.srs:StratifiedRandom",
    "first": "detreduce.reducers.methods.first:FirstImages",
    "prd": "detreduce.reducers.methods.prd:ProtoDash",
    "clc": "detreduce.reducers.methods.clc:ClusterCentroids",
    "rkm": "detreduce.reducers.methods.rkm:RepresentativeKMeans",
    "mms": "detreduce.reducers.methods.mms:MaxMin",
    "phl": "detreduce.reducers.methods.phl:PersistentHomologyLandmarks",
    "nrmd": "detreduce.reducers.methods.nrmd:NumerosityReduction",
    "fes": "detreduce.reducers.methods.fes:ForgettingEvents",
    "des": "detreduce.reducers.methods.des:DistanceEntropy",
    "facility": "detreduce.reducers.methods.facility:FacilityLocation",
    "moderate": "detreduce.reducers.methods.moderate:Moderate",
    "class_coverage": "detreduce.reducers.methods.class_coverage:ClassCoverage",
    "csod": "detreduce.reducers.methods.csod:ClasswiseObjects",
    "herding": "detreduce.reducers.methods.herding:Herding",
    "stride": "detreduce.reducers.methods.stride:Stride",
    "vps": "detreduce.reducers.methods.vps:VariancePredictionScore",
    "forgetting": "detreduce.reducers.methods.forgetting:DetectorForgetting",
    "el2n": "detreduce.reducers.methods.el2n:ErrorNorm",
    "aum": "detreduce.reducers.methods.aum:AreaUnderMargin",
    "gradmatch": "detreduce.reducers.methods.gradmatch:GradMatch",
    "uncertainty": "detreduce.reducers.methods.uncertainty:Uncertainty",
    "disagreement": "detreduce.reducers.methods.disagreement:Disagreement",
    "extrapolate": "detreduce.reducers.methods.extrapolate:Extrapolated",
}


def _registered() -> dict[str, EntryPoint]:
    """Return the reducers that other packages register, by name. They cannot replace a built-in reducer."""
    return {point.name: point for point in entry_points(group=ENTRY_POINT_GROUP) if point.name not in BUILT_IN}


def list_reducers() -> list[str]:
    """Return the names that `make_reducer` accepts: built-in reducers, then the sorted names from other packages."""
    return [*BUILT_IN, *sorted(_registered())]


def reducer_class(name: str) -> type[BaseReducer]:
    """Return the class of a reducer.

    Raises
    ------
    InputError
        There is no such reducer, or it is in another package and cannot be imported. For an unknown name, the message
        suggests the most similar known name.
    """
    if name in BUILT_IN:
        module, _, attribute = BUILT_IN[name].partition(":")
        return getattr(import_module(module), attribute)
    others = _registered()
    if name not in others:
        known = list_reducers()
        hint = nearest(str(name), known)
        raise InputError(f"There is no method {name!r}.{hint} Known methods: {', '.join(known)}.")
    try:
        return others[name].load()
    except Exception as error:
        raise InputError(
            f"The method {name!r} is registered as {others[name].value} but cannot be imported: {error!r}. "
            "Repair or uninstall that package."
        ) from error


def make_reducer(name: str, **params: Any) -> BaseReducer:
    """Create the reducer called `name` with these parameters, for example ``make_reducer("mms", keep=0.25)``.

    Raises
    ------
    InputError
        The name or a parameter is unknown. The message suggests the most similar known name.
    """
    cls = reducer_class(name)
    check_parameters(name, params, list(inspect.signature(cls).parameters))
    return cls(**params)


def _known_parameters(known: Sequence[str]) -> str:
    """Return a sentence that lists the method's own parameters, without `keep` and `random_state`."""
    own = [name for name in known if name not in ("keep", "random_state")]
    return f"Its parameters: {', '.join(own)}." if own else "It has no parameters of its own."


def check_parameters(name: str, params: Iterable[str], known: Sequence[str]) -> None:
    """Raise InputError if a name in `params` is not in `known`. The message suggests a similar name."""
    for parameter in params:
        if parameter not in known:
            hint = nearest(parameter, known)
            if parameter == "seed" and "random_state" in known:
                hint = " Use random_state= in Python, --seed on the command line."
            raise InputError(f"The method {name!r} has no parameter {parameter!r}.{hint} {_known_parameters(known)}")
