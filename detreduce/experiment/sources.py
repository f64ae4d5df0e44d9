"""The feature tables of an experiment. Each table is extracted once, and the ledger stores what it cost."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from detreduce.arrays.proxy_log import ProxyLog
from detreduce.dataset.records import DetectionDataset
from detreduce.dataset.write import write_subset
from detreduce.display.listener import say
from detreduce.display.numbers import counted
from detreduce.errors import DetreduceError, InputError
from detreduce.experiment.cells import Cell
from detreduce.experiment.config import ExperimentConfig
from detreduce.experiment.costs.forecast import COSTLY, Estimate
from detreduce.experiment.ledger.identity import features_identity
from detreduce.experiment.ledger.ledger import Ledger
from detreduce.experiment.ledger.stored import CostFile
from detreduce.experiment.sections import ProxyConfig
from detreduce.features.blocks import FEATURES, default_blocks, kinds_of
from detreduce.features.detector.predict import Prediction
from detreduce.features.proxy.dynamics import needs_neighbours
from detreduce.features.request import Extraction, TensorProxyExtraction
from detreduce.features.table import DETECTOR_BLOCKS, PROXY_BLOCKS, FeatureTable
from detreduce.machine.hashes import file_hash, json_hash
from detreduce.machine.untrusted.checked_json import check_value, read_checked
from detreduce.machine.untrusted.regular_files import is_regular
from detreduce.reducers import reducer_class
from detreduce.reducers.engine.budget import resolve_keep
from detreduce.reduction.predicting import predict, without_unread
from detreduce.reduction.steps import Source, extract, image_vectors
from detreduce.selection.choose import select
from detreduce.training.concurrent_runs import overlapped, present
from detreduce.training.energy import EnergyMeter, PhaseEnergy, together
from detreduce.training.energy.making_cost import charged
from detreduce.training.proxy import PHASE, WEIGHTS_SUFFIX, log_proxy_training
from detreduce.training.run.model import find_model
from detreduce.ultralytics_bridge.tensor_weights import SUFFIX, save_tensors
from detreduce.vocabulary.controls import RANDOM_METHODS

PROXY_FILE = "proxy.npz"
FEATURES_PHASE = "features"
VECTORS = "image"
"""Name of a table that contains only one vector per image.

The search for duplicates by features uses it if the table for the methods does not contain these vectors.
"""


BOXES = "boxes"
"""Name of the cost of the boxes that a detector predicts."""


class Sources:
    """The feature tables of one experiment. Each table is extracted when a cell first needs it.

    Parameters
    ----------
    config, ledger
        As in `run_experiment`.
    dataset
        The train split.
    proxy_identity
        Hash of everything that affects the log of the proxy training. The name of the proxy's folder contains this
        hash.
    paid
        Called with the cost of each table, and with the cost of the proxy training.
    """

    def __init__(
        self,
        config: ExperimentConfig,
        ledger: Ledger,
        dataset: DetectionDataset,
        proxy_identity: str,
        paid: Callable[[PhaseEnergy], None],
    ) -> None:
        self.config = config
        self.ledger = ledger
        self.dataset = dataset
        self._proxy_identity = proxy_identity
        self._paid = paid
        self._tables: dict[str, FeatureTable] = {}

    def choose_from(self, cell: Cell) -> tuple[Source, dict[str, PhaseEnergy], dict[str, int]]:
        """Return what the method of a cell chooses from, its cost, and how many features came from the cache.

        The first value is the dataset or a feature table. The second value maps the phases ``features`` and ``proxy
        training`` to their cost. The third value maps ``features_from_cache`` to a number of images. It is empty if the
        cell needs no features.
        """
        choosing: dict[str, PhaseEnergy] = {}
        predicts = self._predicts(cell)
        source: Source = without_unread(self.seen) if predicts else self.dataset
        made: list[str] = []
        for kind in kinds_of(reducer_class(cell.chooser).needs):
            source = self.table(kind)
            made = [FEATURES, kind] if self._fills_by_features(kind) else [kind]
            if kind in PROXY_BLOCKS:
                choosing[PHASE] = _proxy_energy(ProxyLog.load(self.proxy), self.proxy)
        if cell.drops_by_features and self._vectors_kind not in made:
            self.vectors()
            made = [*made, self._vectors_kind]
        if predicts:
            made = [*made, BOXES]
        if not made:
            return source, choosing, {}
        kept = [read_checked(self._cost_file(part), CostFile, "the cost of features")[1] for part in made]
        choosing["features"] = together([part.energy for part in kept])
        return source, choosing, {"features_from_cache": kept[0].from_cache}

    def _predicts(self, cell: Cell) -> bool:
        """Return whether a cell chooses by the boxes of a detector. Random subsets need no boxes."""
        return self.config.features.detector is not None and cell.control not in RANDOM_METHODS

    @cached_property
    def seen(self) -> DetectionDataset:
        """The dataset that methods choose from: with the boxes of the detector, or with its labels."""
        detector = self.config.features.predicting
        if detector is None:
            return self.dataset
        mirrored = any("disagreement" in reducer_class(method.name).needs for method in self.config.choosers)
        waiting = "Waiting for another process's predictions."
        with self.ledger.exclusive(f"{BOXES}-table", lambda: say(waiting)), present():
            with EnergyMeter(self.config.energy.country).measure("features") as energy:
                predicted = predict(self.dataset, Prediction(detector, mirrored))
            energy.overlapped = overlapped()
            self._paid(energy)
            facts = {} if predicted.predictions is None else dict(predicted.predictions.provenance)
            self._keep_boxes(facts, energy)
        return predicted

    def _keep_boxes(self, facts: dict[str, Any], energy: PhaseEnergy) -> None:
        """Write the cost of the predictions to the ledger. The cost includes boxes that came from the cache."""
        made, file = int(facts.get("predicted", 0)), self._cost_file(BOXES)
        if is_regular(file) and not made:
            return
        content = {
            "energy": charged(facts, made, len(self.dataset), energy).model_dump(),
            "made": made,
            "from_cache": int(facts.get("from_cache", 0)),
            "provenance": facts,
        }
        self.ledger.write_json(file.name, content)

    def vectors(self) -> FeatureTable:
        """Return a table with one vector per image, for the search for near-duplicates by features."""
        return self.table(self._vectors_kind)

    def to_make(self, cell: Cell) -> list[tuple[str, str]]:
        """Return the proxy training and the feature tables that a cell needs and that the ledger does not have yet.

        Each entry is (phase, name). Two cells that need the same table, or the proxy training, get equal entries.
        """
        found = []
        kinds = kinds_of(reducer_class(cell.chooser).needs)
        if cell.drops_by_features and self._vectors_kind not in kinds:
            kinds.append(self._vectors_kind)
        if self._predicts(cell):
            kinds.append(BOXES)
        for kind in kinds:
            if kind in PROXY_BLOCKS and not self._has_proxy(kind == "gradients"):
                found.append((PHASE, PHASE))
            if not is_regular(self._cost_file(kind)):
                found.append((FEATURES_PHASE, f"{kind} table"))
        return found

    def expected(self, phase: str) -> Estimate | None:
        """Return the expected cost of a phase, or None if the ledger does not show it.

        The cost of a proxy training is its images and epochs times the mean cost per image and epoch. This mean comes
        from proxy trainings in the ledger with the same model, image size and `COSTLY` arguments. The cost of missing
        features is never estimated, because the features in the ledger have other settings.
        """
        wanted = self.config.proxy
        if phase != PHASE or wanted is None:
            return None
        alike = [log for log in self._proxies() if _costs_alike(log, wanted, wanted.model or self.config.train.model)]
        energies = [(log, _known_energy(log)) for log in alike]
        known = [
            (len(log.image_ids) * log.epochs, energy.seconds, energy.wh)
            for log, energy in energies
            if energy is not None and energy.wh is not None and not energy.overlapped
        ]
        if not known:
            return None
        seen, seconds, wh = (sum(part) for part in zip(*known, strict=True))
        factor = resolve_keep(wanted.share, len(self.dataset)) * wanted.epochs / seen
        return Estimate(seconds * factor, wh * factor)

    def _proxies(self) -> list[ProxyLog]:
        """Return all proxy logs in the ledger that can be read."""
        found = []
        for file in sorted(self.ledger.path.glob(f"proxy-*/{PROXY_FILE}")):
            with suppress(DetreduceError):
                found.append(ProxyLog.load(file))
        return found

    def table(self, kind: str) -> FeatureTable:
        """Return a feature table. `kind` is ``features``, ``image``, or the name of a block that needs the proxy
        training.
        """
        if kind not in self._tables:
            self._tables[kind] = self._extract(kind)
        return self._tables[kind]

    @cached_property
    def proxy(self) -> Path:
        """Path of the log of the proxy training. If the ledger does not have it, one process trains while others
        wait.
        """
        assert self.config.proxy is not None
        log = self._proxy_log
        folder = log.parent
        with self.ledger.exclusive(folder.name, lambda: say("Waiting for another process's proxy training.")):
            if self._has_proxy(self._uses_weights):
                return log
            if is_regular(log):
                former = folder.with_name(f"former-{folder.name}")
                say(_why_trained_again(log, former))
                shutil.rmtree(former, ignore_errors=True)
                folder.rename(former)
            # a folder without a log was left by a run that was killed
            shutil.rmtree(folder, ignore_errors=True)
            self._train_proxy(self.config.proxy, log)
        return log

    @property
    def _uses_weights(self) -> bool:
        """Whether a method uses the weights of the proxy, and not only its log."""
        return any("gradients" in reducer_class(method.name).needs for method in self.config.choosers)

    def _has_proxy(self, weights: bool) -> bool:
        """Return whether the ledger has the log of the proxy training.

        If `weights` is True, the ledger must also have the weights as tensors. Weights in a pickle do not count. The
        ledger may come from another person, and loading a pickle can run code.
        """
        return is_regular(self._proxy_log) and (not weights or is_regular(self._proxy_log.with_suffix(SUFFIX)))

    @property
    def _proxy_start(self) -> str:
        """The model from which the proxy training starts, as the configuration names it."""
        assert self.config.proxy is not None
        return self.config.proxy.model or self.config.train.model

    @property
    def _proxy_log(self) -> Path:
        """Path of the log of the proxy training in the ledger."""
        return self.ledger.path / f"proxy-{self._proxy_identity[:10]}" / PROXY_FILE

    def _train_proxy(self, wanted: ProxyConfig, log: Path) -> None:
        """Train the proxy and write its log. If `share` is less than all images, train on a random subset."""
        model = self._proxy_start
        data: str | Path = self.config.dataset
        made = log.parent / "trained" / PROXY_FILE
        share = log.parent / "share"
        if self._is_part(wanted):
            drawn = select(self.dataset, "srs", wanted.share, wanted.seed, self.config.reduce.categories)
            data = write_subset(self.dataset, drawn, share, link="symlink").source.path
        say(f"Proxy training: {Path(model).name}, {counted(wanted.epochs, 'epoch')} at {wanted.imgsz} pixels")
        log_proxy_training(
            data,
            model,
            output=made,
            epochs=wanted.epochs,
            imgsz=wanted.imgsz,
            seed=wanted.seed,
            country=self.config.energy.country,
            **wanted.arguments,
        )
        self._paid(_keep_proxy(made, log))
        for folder in (share, made.parent):
            shutil.rmtree(folder, ignore_errors=True)

    def _fills_by_features(self, kind: str) -> bool:
        """Return whether features are needed to fill a table for the images that the proxy did not see.

        Such an image gets the values of similar images.
        """
        return kind == "dynamics" and self._lacks_images

    @cached_property
    def _lacks_images(self) -> bool:
        """Whether the proxy was trained on only some of the images."""
        return needs_neighbours(ProxyLog.load(self.proxy), self.dataset)

    def _is_part(self, wanted: ProxyConfig) -> bool:
        """Return whether the configuration trains the proxy on only some of the images."""
        return resolve_keep(wanted.share, len(self.dataset)) < len(self.dataset)

    def _extract(self, kind: str) -> FeatureTable:
        """Extract a feature table, and write its cost to the ledger."""
        if self._fills_by_features(kind):
            # extract the features first, so that their cost is measured separately
            self.table(FEATURES)
        extraction, seen = self._extraction(kind), self.seen
        waiting = "Waiting for another process's features."
        with self.ledger.exclusive(f"{kind}-table", lambda: say(waiting)), present():
            with EnergyMeter(self.config.energy.country).measure("features") as energy:
                table = extract(seen, extraction)
            energy.overlapped = overlapped()
            self._paid(energy)
            self._keep_cost(kind, table, energy)
        return table

    @property
    def _vectors_kind(self) -> str:
        """The kind of table that contains one vector per image.

        It is the table ``features`` if a method uses this table and if it has the block `image`. Otherwise it is a
        smaller table without features of objects.
        """
        used = any(FEATURES in kinds_of(reducer_class(method.name).needs) for method in self.config.choosers)
        return FEATURES if used and "image" in self._blocks else VECTORS

    @property
    def _blocks(self) -> tuple[str, ...]:
        """The blocks of the table ``features``."""
        wanted = self.config.features
        return tuple(wanted.blocks or default_blocks(wanted.backbone, labelled=self.dataset.labelled))

    def _extraction(self, kind: str) -> Extraction:
        """Return the request to extract a table of this kind."""
        features = replace(self.config.features.extraction(), blocks=self._blocks)
        if kind == FEATURES:
            return features
        if kind == VECTORS:
            return image_vectors(features)
        if kind in DETECTOR_BLOCKS:
            return replace(features, blocks=(kind,))
        if self._fills_by_features(kind):
            return replace(features, blocks=(*self._blocks, kind), proxy=self.proxy)
        return TensorProxyExtraction(blocks=(kind,), proxy=self.proxy, start=find_model(self._proxy_start))

    def _cost_file(self, kind: str) -> Path:
        """Return the path of the file in the ledger that contains the cost of a table."""
        by_backbone = kind not in PROXY_BLOCKS
        identity = features_identity(self.config.features) if by_backbone else self._proxy_identity
        return self.ledger.path / f"{kind}-{identity[:10]}.json"

    def _keep_cost(self, kind: str, table: FeatureTable, energy: PhaseEnergy) -> None:
        """Write the cost of a table to the ledger. The cost includes the features that came from the cache."""
        pixels = table.provenance.get("image") or table.provenance.get("objects") or {}
        made = int(pixels.get("passes", len(table)))
        if "gradients" in table.blocks:
            made = int(table.provenance["gradients"]["embedded"])
        file = self._cost_file(kind)
        if is_regular(file) and not made:
            return
        content = {
            "energy": charged(pixels, made, len(table), energy).model_dump(),
            "made": made,
            "from_cache": max(0, len(table) - made),
            "provenance": table.provenance,
        }
        self.ledger.write_json(file.name, content)


def _keep_proxy(made: Path, log: Path) -> PhaseEnergy:
    """Store the log of a new proxy training in the ledger, together with its weights as tensors. Return its energy."""
    proxy = ProxyLog.load(made)
    weights, tensors = made.with_suffix(WEIGHTS_SUFFIX), log.with_suffix(SUFFIX)
    if is_regular(weights):
        save_tensors(weights, tensors)
        proxy = replace(proxy, facts={**proxy.facts, "weights_sha256": file_hash(tensors)})
    # write the log last, so that wherever there is a log, there are also its weights
    proxy.save(log)
    return _proxy_energy(proxy, log)


def _proxy_energy(proxy: ProxyLog, file: Path) -> PhaseEnergy:
    """Return the energy of a proxy training. Raise InputError if the log has no valid energy, for example after an
    edit.
    """
    energy: PhaseEnergy = check_value(file, proxy.facts.get("energy"), PhaseEnergy, "a proxy log with its energy")
    return energy


def _known_energy(proxy: ProxyLog) -> PhaseEnergy | None:
    """Return the energy of a proxy training, or None if the log has no valid energy."""
    with suppress(InputError):
        return _proxy_energy(proxy, Path("proxy.npz"))
    return None


def _why_trained_again(log: Path, former: Path) -> str:
    """Return a sentence that says why the proxy is trained again although the ledger has its log."""
    weights = log.with_suffix(WEIGHTS_SUFFIX)
    why = f"{weights} is a pickle, and loading it can run code" if is_regular(weights) else f"{weights} is missing"
    return f"{why}, so the proxy is trained again. The former files of the proxy are in {former.name}."


def _costs_alike(log: ProxyLog, wanted: ProxyConfig, model: str) -> bool:
    """Return whether a proxy training has the same model, image size and `COSTLY` arguments as the wanted training."""
    given = {**wanted.arguments, "imgsz": wanted.imgsz}
    had = {**log.facts.get("arguments", {}), "imgsz": log.facts.get("imgsz")}
    return log.facts.get("model") == Path(model).name and all(given.get(name) == had.get(name) for name in COSTLY)


def proxy_identity(config: ExperimentConfig, data: str, model: str) -> str:
    """Return a hash of everything that affects the log of the proxy training, or an empty string if there is no proxy.

    `data` and `model` are the hashes of the dataset and of the weights from which the proxy training starts.
    """
    if config.proxy is None:
        return ""
    wanted = config.proxy
    part = [repr(wanted.share), config.reduce.categories, config.features.model_dump()]
    drawn = part if wanted.share != 1.0 or isinstance(wanted.share, int) else None
    return json_hash([data, model, wanted.epochs, wanted.imgsz, wanted.seed, wanted.arguments, drawn])
