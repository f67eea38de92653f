"""A study: one config, checked before anything runs, and the networks it asks for.

Light on purpose: Snakemake reads it on every start, so nothing here imports torch or pandas.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

from transferability.study.amounts import Amount, amounts_of, more_last
from transferability.study.asked_series import series_of
from transferability.study.config import STAGES, fine_tuned_depths, planned_depths, read_config, settings_of
from transferability.study.data_sets import DataSet
from transferability.study.foreign_networks import network_filters, network_layers
from transferability.study.image_keys import image_channels
from transferability.study.layout import study_folder
from transferability.study.names import (
    DIRECTIONS,
    PRETRAINED_SOURCE,
    WHOLE,
    Network,
    Series,
)
from transferability.study.pretrained_weights import Weights, weights_of
from transferability.study.sections import FiguresSection, RunningSection
from transferability.study.settings import DRAWN_BATCH_NORM, FEW_IMAGES, FROZEN_BATCH_NORM, Settings
from transferability.study.split_plan import SplitPlan, data_sets_of_splits, split_plans
from transferability.study.split_types import IMAGES
from transferability.study.training_rules import TrainingRule, training_rules

MOST_DRAWN_BASES = 12

NO_STORES: Mapping[str, str] = MappingProxyType({})

# What is part of a network's identity only where it matters. Where it does not, what is asked for is that it is absent,
# or networks made with it would be as asked for.
_OPTIONAL = ("cuts", "options", "code_sha256", FROZEN_BATCH_NORM, "images_seed", DRAWN_BATCH_NORM)
_OF_MEAN = ("mean_classes", "mean_data_set", "mean_store_checksum")

Key = tuple[str, int, str]  # split, seed and name of a network


@dataclass(frozen=True)
class Study:
    """A checked config.

    Attributes:
        config: plain Python values, with every path normalized.
        splits: the config's, ordered by type as in `TYPES_OF_HALVES`, and last that of all classes, ``whole``, if any
            network is trained on it.
        halves_series: the series trained for the halves of each split.
        whole_series: the series trained for the whole set.
        reduced: images per class for each base of the whole set that is trained on fewer than all.
        amounts: images per class for the networks of every treatment, the fewest first.
        stages: the settings of the networks of each of `STAGES`.
        running: how networks are trained, which affects none of them.
        figures: what tables and figures show.
    """

    config: Mapping[str, Any]
    splits: Mapping[str, SplitPlan]
    seeds: tuple[int, ...]
    halves_series: tuple[Series, ...]
    whole_series: tuple[Series, ...]
    reduced: tuple[int, ...]
    amounts: tuple[Amount, ...]
    stages: Mapping[str, Settings]
    running: RunningSection
    figures: FiguresSection

    @cached_property
    def layers(self) -> tuple[str, ...]:
        """The names of its network's layers, lowest first; the deepest cut is below the last."""
        return network_layers(self.config)

    @cached_property
    def filters(self) -> str:
        """How the name of the first layer's filters begins; empty if it is no convolution of gray or color images."""
        return network_filters(self.config)

    @cached_property
    def weights(self) -> Weights | None:
        """The published weights that layers are copied from, if any are."""
        return weights_of(self.config)

    @property
    def groups(self) -> dict[str, Mapping[str, str]]:
        """The group or data set of each half's classes, by split (semantic, or of two data sets) and half."""
        return {plan.name: words for plan in self.splits.values() if (words := plan.halves_in_words)}

    @property
    def folder(self) -> Path:
        return study_folder(self.config)

    @property
    def most(self) -> Amount:
        """The largest of its amounts."""
        return self.amounts[-1]

    @property
    def has_few(self) -> bool:
        """Whether any networks are trained on few images."""
        return self.amounts != (None,)

    def settings(self, stage: str, *, is_on_few: bool = False) -> Settings:
        """The settings of networks of a stage, one of `STAGES`, that are trained on all their images or on few."""
        settings = self.stages[stage]
        return settings.on_few_images(self.config["training"][FEW_IMAGES]) if is_on_few else settings

    def settings_of(self, network: Network) -> Settings:
        """The settings of a network."""
        return self.settings(network.stage, is_on_few=network.is_on_few)

    def half_of_mean(self, network: Network) -> str | None:
        """The half whose mean image a network subtracts, whichever half it is trained for; None if there is none."""
        return self.settings_of(network).preprocessing.half_of_mean

    @cached_property
    def data_sets(self) -> dict[str, DataSet]:
        """The data sets that its splits use, by name, the config's ``dataset`` first."""
        return {name: DataSet.of(self.config, name) for name in data_sets_of_splits(self.config)}

    @property
    def data_set(self) -> DataSet:
        """The config's ``dataset``, used by all splits that do not name another."""
        return self.data_sets[self.config["dataset"]]

    def data_set_of(self, split: str, target: str) -> DataSet:
        """The data set that the networks of a split are trained on for a target."""
        tasks = self.splits[split].tasks
        return self.data_sets[tasks[target].data_set] if tasks else self.data_set

    def data_sets_of(self, split: str) -> list[DataSet]:
        """The data sets of a split, each once, in the order of its targets."""
        of_targets = [self.data_set_of(split, target) for target in self.splits[split].targets]
        return list({data_set.name: data_set for data_set in of_targets}.values())

    @property
    def targets(self) -> tuple[str, ...]:
        """The halves that networks are trained for and compared on; another half is at most a source."""
        return tuple(sorted(DIRECTIONS[direction] for direction in self.config["networks"]["directions"]))

    @property
    def training_rules(self) -> Iterator[TrainingRule]:
        """Every kind of job that trains networks."""
        bases = [base for split in self.splits for base in self._bases_of(split)]
        yield from training_rules(bases, (*self.halves_series, *self.whole_series), self._chunks_of)

    def _chunks_of(self, series: Series) -> tuple[tuple[int, ...], ...]:
        return self.chunks(series.fine_tuned, series.preserved, series.plan)

    def chunks(
        self, fine_tuned: bool = False, preserved: int = 0, plan: str | None = None
    ) -> tuple[tuple[int, ...], ...]:
        """The depths of each job of a series, given whether it is fine-tuned, the layers it preserves, and its plan."""
        networks, per_job = self.config["networks"], self.running.networks_per_job
        if plan:
            depths = planned_depths(networks, plan, len(self.layers))
        else:
            chosen = fine_tuned_depths(networks) if fine_tuned else sorted(networks["depths"])
            depths = [n for n in chosen if n + preserved < len(self.layers)]
        return tuple(tuple(depths[start : start + per_job]) for start in range(0, len(depths), per_job))

    def networks(self) -> Iterator[tuple[str, int, Network]]:
        """Every network of the study, with its split and seed."""
        for split, seed, job in self.jobs():
            for network in job:
                yield split, seed, network

    def files_of_networks(self, paths: Iterable[str]) -> dict[Key, Path]:
        """Files, given in the order of `networks`, by the split, seed and name of their networks."""
        keys = ((split, seed, network.name) for split, seed, network in self.networks())
        return {key: Path(path) for key, path in zip(keys, paths, strict=True)}

    def networks_of(self, split: str) -> Iterator[Network]:
        """The networks of one split, the same for each seed."""
        for job in self._jobs_of(split):
            yield from job

    def asked_of(self, split: str, network: Network, checksums: Mapping[str, str] = NO_STORES) -> dict[str, Any]:
        """What a network of a split would be made from today, None for what would be no part of its identity.

        Its store's checksum is included only if it is known.

        Args:
            split: the network's split.
            network: the network.
            checksums: those of the stores that exist, by data set.
        """
        weights = self.weights.sha256 if self.weights and network.source == PRETRAINED_SOURCE else None
        of_stores: dict[str, Any] = {}
        for prefix, data_set in self._stores_of(split, network).items():
            of_stores[f"{prefix}data_set"] = data_set.name
            if data_set.name in checksums:
                of_stores[f"{prefix}store_checksum"] = checksums[data_set.name]
        settings, plan = self.settings_of(network), self.splits[split]
        asked = {
            **of_stores,
            **settings.to_json(),
            **self._channels_of(split, network),
            **({"images_seed": plan.seed} if plan.split_type == IMAGES else {}),
            **settings.of_plan(network.plan),
            **({"source_sha256": weights} if weights else {}),
        }
        absent = [*_OPTIONAL, *(() if settings.preprocessing.half_of_mean else _OF_MEAN)]
        return {**asked, **{key: None for key in absent if key not in asked}}

    def _channels_of(self, split: str, network: Network) -> dict[str, int | None]:
        """The channels that gray images next to color ones count as, None for other images; empty if not known yet."""
        of_split = [image_channels(data_set.settings) for data_set in self.data_sets_of(split)]
        most = max((channels for channels in of_split if channels), default=None)
        if len(of_split) > 1 and None in of_split:
            return {}
        own = image_channels(self.data_set_of(split, network.target).settings)
        return {"channels": None if own == most else most}

    def _stores_of(self, split: str, network: Network) -> dict[str, DataSet]:
        """The data set that a network is trained on and, if any, that of its mean's half, by prefix of their keys."""
        half_of_mean = self.half_of_mean(network)
        of_mean = {"mean_": self.data_set_of(split, half_of_mean)} if half_of_mean else {}
        return {"": self.data_set_of(split, network.target), **of_mean}

    def current(self, metrics: Mapping[Key, Mapping[str, Any]], checksums: Mapping[str, str] = NO_STORES) -> set[Key]:
        """The finished networks that, according to their metrics, are what the config asks for today.

        A copy is one of them only if the base that it was copied from is one, and is the base that exists now; nothing
        is known about a base that does not exist. If a store does not exist, its name tells whether it was built from
        today's settings and lists.

        Args:
            metrics: those of finished networks, by split, seed and name of the network.
            checksums: as in `asked_of`.
        """
        current = {
            (split, seed, name)
            for (split, seed, name), made in metrics.items()
            if all(
                made["made_from"].get(key) == value
                for key, value in self.asked_of(split, Network.parse(name), checksums).items()
            )
            and not any(self.stores_of_other_settings((split, seed, name), made, checksums))
        }

        def of_todays_base(key: Key) -> bool:
            split, seed, name = key
            source = Network.parse(name).base
            base = (split, seed, source.name) if source else None
            if base is None or base not in metrics:
                return True
            copied, there = metrics[key]["made_from"].get("source_sha256"), metrics[base].get("sha256")
            return base in current and there in {copied, None}  # None: from before it was recorded

        return {key for key in current if of_todays_base(key)}

    def stores_of_other_settings(
        self, key: Key, metrics: Mapping[str, Any], checksums: Mapping[str, str]
    ) -> Iterator[tuple[str, str, str]]:
        """Stores that a network's metrics name, that no longer exist, and that are not today's.

        Args:
            key: the network's.
            metrics: the network's.
            checksums: as in `asked_of`.

        Yields:
            The store's key in the metrics, its name there, and what its name would be today.
        """
        split, _, name = key
        for prefix, data_set in self._stores_of(split, Network.parse(name)).items():
            made, today = metrics.get(f"{prefix}store"), data_set.store_folder.name
            if data_set.name not in checksums and made not in (None, today):  # None: from before it was recorded
                yield f"{prefix}store", made, today

    def drawn_bases(self) -> list[tuple[str, int, Network]]:
        """The bases whose first-layer filters are plotted: of the first seed, on the most images, as many as fit."""
        if not self.filters:
            return []
        seed = self.seeds[0]
        bases = [(split, seed, base) for split in self.splits for base in self._bases_of(split)]
        return [key for key in bases if key[2].examples_per_class == self.most][:MOST_DRAWN_BASES]

    def jobs(self) -> Iterator[tuple[str, int, tuple[Network, ...]]]:
        """The networks of every training job, with their split and seed."""
        for split in self.splits:
            jobs = tuple(self._jobs_of(split))
            for seed in self.seeds:
                for job in jobs:
                    yield split, seed, job

    def _jobs_of(self, split: str) -> Iterator[tuple[Network, ...]]:
        every_series = self.whole_series if split == WHOLE else self.halves_series
        yield from ((base,) for base in self._bases_of(split))
        if split == WHOLE:
            yield from ((Network(WHOLE, examples_per_class=examples, reduced=True),) for examples in self.reduced)
        for series in every_series:
            for chunk in self._chunks_of(series):
                yield tuple(map(series.at, chunk))

    def most_few(self, split: str) -> int:
        """The most images per class, other than all, that a split's networks are trained on; 0 if all use all."""
        return max((base.examples_per_class or 0 for base in self._bases_of(split)), default=0)

    def _bases_of(self, split: str) -> Iterator[Network]:
        """The bases that networks of a split are compared with or copied from, and those that the config asks for."""
        every_series = self.whole_series if split == WHOLE else self.halves_series
        is_asked_for = split != WHOLE or WHOLE in self.config["splits"] or every_series
        amounts = {*self.amounts} if is_asked_for else set()
        if split == WHOLE and self.reduced:
            amounts.add(None)  # what these are compared with
        compared = (WHOLE,) if split == WHOLE else self.targets
        bases = {Network(target, examples_per_class=amount) for amount in amounts for target in compared}
        bases |= {base for one in every_series if (base := one.at(1).base)}
        yield from sorted(bases, key=lambda base: (more_last(base.examples_per_class), base.target))


def without_running(config: Mapping[str, Any]) -> dict[str, Any]:
    """Everything that a config says about what is studied, without how it is run, which changes no result."""
    return {key: value for key, value in config.items() if key != "running"}


def read_study(config: Mapping[str, Any], beside: Sequence[Path] = ()) -> Study:
    """Check a config and return the study that it asks for; ConfigError with a line for each problem.

    Args:
        config: as it was read.
        beside: folders that are searched first for the file of a network, such as that of the config's file.
    """
    config = read_config(config, beside)
    plans = split_plans(config["splits"])
    halves_series, whole_series = series_of(config["networks"], {plan.name for plan in plans})
    if (whole_series or config["networks"]["reduced"]) and WHOLE not in [plan.name for plan in plans]:
        plans.append(SplitPlan(WHOLE, None, None))
    return Study(
        config=config,
        splits={plan.name: plan for plan in plans},
        seeds=tuple(config["seeds"]),
        halves_series=halves_series,
        whole_series=whole_series,
        reduced=tuple(sorted(config["networks"]["reduced"])),
        amounts=amounts_of(config["networks"]),
        stages={stage: settings_of(config, stage) for stage in STAGES},
        running=RunningSection(**config["running"]),
        figures=FiguresSection(**config["figures"]),
    )
