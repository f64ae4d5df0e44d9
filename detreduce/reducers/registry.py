"""Reducers by name: the built-in ones, and those that other packages register."""

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

# by path, so that listing names imports no method
BUILT_IN = {
    "srs": "detreduce.reducers.statistic:StratifiedRandom",
    "first": "detreduce.reducers.statistic:FirstImages",
    "prd": "detreduce.reducers.statistic:ProtoDash",
    "clc": "detreduce.reducers.geometric:ClusterCentroids",
    "rkm": "detreduce.reducers.geometric:RepresentativeKMeans",
    "mms": "detreduce.reducers.geometric:MaxMin",
    "phl": "detreduce.reducers.ranking:PersistentHomologyLandmarks",
    "nrmd": "detreduce.reducers.ranking:NumerosityReduction",
    "fes": "detreduce.reducers.wrapper:ForgettingEvents",
    "des": "detreduce.reducers.geometric:DistanceEntropy",
    "facility": "detreduce.reducers.neighbourhood:FacilityLocation",
    "moderate": "detreduce.reducers.neighbourhood:Moderate",
    "class_coverage": "detreduce.reducers.objectwise:ClassCoverage",
    "csod": "detreduce.reducers.objectwise:ClasswiseObjects",
    "herding": "detreduce.reducers.objectwise:Herding",
    "stride": "detreduce.reducers.sequence:Stride",
    "vps": "detreduce.reducers.training_aware:VariancePredictionScore",
    "forgetting": "detreduce.reducers.training_aware:DetectorForgetting",
    "el2n": "detreduce.reducers.training_aware:ErrorNorm",
    "aum": "detreduce.reducers.training_aware:AreaUnderMargin",
    "gradmatch": "detreduce.reducers.gradmatch:GradMatch",
    "extrapolate": "detreduce.reducers.extrapolation:Extrapolated",
}


def _registered() -> dict[str, EntryPoint]:
    """Reducers of other packages by name; a built-in name stays built in."""
    return {point.name: point for point in entry_points(group=ENTRY_POINT_GROUP) if point.name not in BUILT_IN}


def list_reducers() -> list[str]:
    """Return the names that `make_reducer` takes: built-in ones, then those of other packages, sorted."""
    return [*BUILT_IN, *sorted(_registered())]


def reducer_class(name: str) -> type[BaseReducer]:
    """Return the class of a reducer.

    Raises
    ------
    InputError
        For an unknown name (with the nearest known one), and for another package's reducer that cannot be imported.
    """
    if name in BUILT_IN:
        module, _, attribute = BUILT_IN[name].partition(":")
        return getattr(import_module(module), attribute)
    others = _registered()
    if name not in others:
        known = list_reducers()
        hint = nearest(str(name), known)
        raise InputError(f"There is no method {name!r}.{hint} Known: {', '.join(known)}.")
    try:
        return others[name].load()
    except Exception as error:
        raise InputError(
            f"The method {name!r} is registered as {others[name].value} but cannot be imported: {error!r}. "
            "Mend or remove that package."
        ) from error


def make_reducer(name: str, **params: Any) -> BaseReducer:
    """Return the reducer called `name` with its parameters, e.g. ``make_reducer("mms", keep=0.25)``.

    Raises
    ------
    InputError
        For an unknown method or parameter, with the nearest known one.
    """
    cls = reducer_class(name)
    check_parameters(name, params, list(inspect.signature(cls).parameters))
    return cls(**params)


def check_parameters(name: str, params: Iterable[str], known: Sequence[str]) -> None:
    """Raise InputError for the first parameter of a method that is not among the known ones, with the nearest."""
    for parameter in params:
        if parameter not in known:
            hint = nearest(parameter, known)
            if parameter == "seed" and "random_state" in known:
                hint = " The seed is random_state= in Python, --seed on the command line."
            raise InputError(f"The method {name!r} has no parameter {parameter!r}.{hint} It has: {', '.join(known)}.")
