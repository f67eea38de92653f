"""A study: one config, checked before anything runs, and the networks it asks for.

Light on purpose: Snakemake reads it on every start, so nothing here imports torch or pandas.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

from transferability.study.amounts import Amount, amounts_of, in_order, more_last
from transferability.study.config import STAGES, fine_tuned_depths, planned_depths, read_config, settings_of
from transferability.study.data_sets import DataSet
from transferability.study.foreign_networks import network_filters, network_layers
from transferability.study.layout import study_folder
from transferability.study.names import (
    DIRECTIONS,
    PRETRAINED_SOURCE,
    WHOLE,
    Network,
    Series,
    depths_label,
    on_images,
    source_of,
)
from transferability.study.planned_treatments import kind_of, plan_of
from transferability.study.pretrained_weights import Weights, weights_of
from transferability.study.sections import FiguresSection, RunningSection
from transferability.study.settings import FEW_IMAGES, Settings
from transferability.study.split_plan import SplitPlan, data_sets_of_splits, split_plans

MOST_DRAWN_BASES = 12

NO_STORES: Mapping[str, str] = MappingProxyType({})

Key = tuple[str, int, str]  # split, seed and name of a network


@dataclass(frozen=True)
class TrainingRule:
    """What one rule that trains networks has of its own: a base, or some depths of all series of a kind.

    There are several, since Snakemake must know beforehand how many outputs a rule has.

    Attributes:
        name: of the rule.
        stage: of its networks, one of `STAGES`.
        job: the name of its jobs, in which ``source``, unless it is `PRETRAINED_SOURCE`, ``target`` and ``examples``
            are still wildcards.
        networks: the names of the networks that a job trains, likewise.
        priority: of its jobs over others that could start.
        few: the images a class of its networks, if these are drawn; None if they are all, or a wildcard.
        is_pretrained: whether the networks copy published weights, so that a replaced file trains these again only.
    """

    name: str
    stage: str
    job: str
    networks: tuple[str, ...]
    priority: int
    few: Amount = None
    is_pretrained: bool = False


@dataclass(frozen=True)
class Study:
    """A checked config.

    Attributes:
        config: plain Python values, with every path in one spelling.
        splits: the config's, by type in the order of `TYPES_OF_HALVES`, and last that of all classes, ``whole``, if
            any network is trained on it.
        halves_series: the series trained for the halves of each split.
        whole_series: the series trained for the whole set.
        reduced: images a class of each base of the whole set that is trained on fewer.
        amounts: images a class of the networks of every treatment, the fewest first.
        stages: what shapes the networks of each stage, `STAGES`.
        running: how networks are trained, which shapes none of them.
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
        """How the name of the first layer's filters begins; empty if that is no convolution of gray or color images."""
        return network_filters(self.config)

    @cached_property
    def weights(self) -> Weights | None:
        """The published weights that layers are copied from, if any are."""
        return weights_of(self.config)

    @property
    def groups(self) -> dict[str, Mapping[str, str]]:
        """By name of each split, semantic or of two data sets, by half, the group or the data set of its classes."""
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
        """Whether there are networks on few images."""
        return self.amounts != (None,)

    def settings(self, stage: str, *, is_on_few: bool = False) -> Settings:
        """What shapes the networks of a stage, one of `STAGES`, that are trained on all their images, or on few."""
        settings = self.stages[stage]
        return settings.on_few_images(self.config["training"][FEW_IMAGES]) if is_on_few else settings

    def settings_of(self, network: Network) -> Settings:
        """What shapes a network."""
        return self.settings(network.stage, is_on_few=network.is_on_few)

    @cached_property
    def data_sets(self) -> dict[str, DataSet]:
        """By name, those that its splits are of, the config's ``dataset`` first."""
        return {name: DataSet.of(self.config, name) for name in data_sets_of_splits(self.config)}

    @property
    def data_set(self) -> DataSet:
        """The config's ``dataset``, of which all splits are that do not say otherwise."""
        return self.data_sets[self.config["dataset"]]

    def data_set_of(self, split: str, target: str) -> DataSet:
        """What the networks of a split are trained on for a target."""
        tasks = self.splits[split].tasks
        return self.data_sets[tasks[target].data_set] if tasks else self.data_set

    def data_sets_of(self, split: str) -> list[DataSet]:
        """The data sets of a split, each once, in the order of its targets."""
        of_targets = [self.data_set_of(split, target) for target in self.splits[split].targets]
        return list({data_set.name: data_set for data_set in of_targets}.values())

    @property
    def targets(self) -> tuple[str, ...]:
        """The halves that networks are trained for and compared; of another there are sources at most."""
        return tuple(sorted(DIRECTIONS[direction] for direction in self.config["networks"]["directions"]))

    @property
    def training_rules(self) -> Iterator[TrainingRule]:
        """Every kind of job that trains networks."""
        # The series of its half and of the other wait for a base.
        bases = (base for split in self.splits for base in self._bases_of(split))
        for few in in_order(base.examples_per_class for base in bases):
            base = f"base{{target}}{on_images(few)}"
            yield TrainingRule(f"train_base{on_images(few)}", "base", base, (base,), priority=2, few=few)
        yield TrainingRule("train_reduced", "reduced", "reduced{examples}", ("reduced{examples}",), priority=0)
        series = (*self.halves_series, *self.whole_series)
        kinds = {
            (
                more_last(one.examples_per_class),
                one.source == PRETRAINED_SOURCE,
                one.fine_tuned,
                one.preserved,
                one.plan or "",
            ): one.examples_per_class
            for one in series
        }
        for (_, is_pretrained, fine_tuned, preserved, plan), few in sorted(kinds.items(), key=lambda kind: kind[0]):
            source = PRETRAINED_SOURCE if is_pretrained else "{source}"
            pattern = Series(source, "{target}", fine_tuned, preserved, few, plan=plan or None)
            kind = f"{'_pretrained' * is_pretrained}{f'_preserve{preserved}' * (preserved > 0)}"
            kind += f"{f'_{plan}' * bool(plan)}{on_images(few)}"
            for chunk in self.chunks(fine_tuned, preserved, pattern.plan):
                depths = depths_label(chunk)
                yield TrainingRule(
                    name=f"train_{pattern.stage}{kind}_n{depths.replace('-', '_to_')}",
                    stage=pattern.stage,
                    job=pattern.name_at(depths),
                    networks=tuple(pattern.name_at(n) for n in chunk),
                    # the longest first, or one is left to the end alone
                    priority=int(pattern.stage == "fine_tuned"),
                    few=few,
                    is_pretrained=is_pretrained,
                )

    def chunks(
        self, fine_tuned: bool = False, preserved: int = 0, plan: str | None = None
    ) -> tuple[tuple[int, ...], ...]:
        """The depths of each job that trains a part of a series that is fine-tuned, preserves layers, or has a plan."""
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
        """By split, seed and name of the network, a file of each, given in the order of `networks`."""
        keys = ((split, seed, network.name) for split, seed, network in self.networks())
        return {key: Path(path) for key, path in zip(keys, paths, strict=True)}

    def networks_of(self, split: str) -> Iterator[Network]:
        """The networks of one split, the same for each seed."""
        for job in self._jobs_of(split):
            yield from job

    def asked_of(self, split: str, network: Network, checksums: Mapping[str, str] = NO_STORES) -> dict[str, Any]:
        """What a network of a split would be made from today; of its store only if its checksum is known.

        Args:
            split: the network's.
            network: which.
            checksums: by data set, those of the stores that are there.
        """
        weights = self.weights.sha256 if self.weights and network.source == PRETRAINED_SOURCE else None
        data_set = self.data_set_of(split, network.target).name
        checksum = checksums.get(data_set)
        return {
            "data_set": data_set,
            **({"store_checksum": checksum} if checksum else {}),
            **self.settings_of(network).to_json(),
            **({"source_sha256": weights} if weights else {}),
        }

    def current(self, metrics: Mapping[Key, Mapping[str, Any]], checksums: Mapping[str, str] = NO_STORES) -> set[Key]:
        """Of finished networks, by what their metrics say, those that the config asks for as they are.

        A copy is one only if the base that it was copied from is, and is the one that is there; of a base that is not
        there nothing is known. Where a store is not there, its name tells whether it was the one of today's settings
        and lists.

        Args:
            metrics: by split, seed and name of the network.
            checksums: as in `asked_of`.
        """
        current = {
            (split, seed, name)
            for (split, seed, name), made in metrics.items()
            if all(
                made["made_from"].get(key) == value
                for key, value in self.asked_of(split, Network.parse(name), checksums).items()
            )
            and (
                self.data_set_of(split, Network.parse(name).target).name in checksums
                or self.is_of_todays_store((split, seed, name), made)
            )
        }

        def of_todays_base(key: Key) -> bool:
            split, seed, name = key
            source = Network.parse(name).base
            base = (split, seed, source.name) if source else None
            if base is None or base not in metrics:
                return True
            copied, there = metrics[key]["made_from"].get("source_sha256"), metrics[base].get("sha256")
            return base in current and there in {copied, None}  # None: made before it was noted

        return {key for key in current if of_todays_base(key)}

    def is_of_todays_store(self, key: Key, metrics: Mapping[str, Any]) -> bool:
        """Whether a network's metrics name the store that it would be trained on today; True if they name none."""
        split, _, name = key
        today = self.data_set_of(split, Network.parse(name).target).store_folder.name
        return metrics.get("store") in (None, today)  # None: made before it was noted

    def drawn_bases(self) -> list[tuple[str, int, Network]]:
        """The bases whose first-layer filters are drawn: of the first seed, on the most images, as many as fit."""
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
            for chunk in self.chunks(series.fine_tuned, series.preserved, series.plan):
                yield tuple(map(series.at, chunk))

    def most_few(self, split: str) -> int:
        """The most images a class that networks of a split are trained on, but all; 0 if they are all on these."""
        return max((base.examples_per_class or 0 for base in self._bases_of(split)), default=0)

    def _bases_of(self, split: str) -> Iterator[Network]:
        """Those that networks of a split are compared with or copied from, and those that the config asks for."""
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
    """All that a config says of what is studied, and not how it is run, which changes no result."""
    return {key: value for key, value in config.items() if key != "running"}


def read_study(config: Mapping[str, Any], beside: Sequence[Path] = ()) -> Study:
    """Check a config and say what it asks for; ConfigError with everything that is wrong.

    Args:
        config: as it was read.
        beside: folders in which the file of a network is looked for first, such as that of the config's file.
    """
    config = read_config(config, beside)
    plans = split_plans(config["splits"])
    halves_series, whole_series = _series_of(config["networks"], {plan.name for plan in plans})
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


def _series_of(networks: Mapping[str, Any], splits: Set[str]) -> tuple[tuple[Series, ...], tuple[Series, ...]]:
    """The series trained for halves, and those trained for the whole set."""
    halves, whole = list[Series](), list[Series]()
    for treatment in networks["treatments"]:
        only_whole = kind_of(treatment) == "random" and networks["random_for"] == WHOLE
        if only_whole or WHOLE in splits:
            whole += _series_for(WHOLE, treatment, networks["preserve"])
        if not only_whole and splits - {WHOLE}:
            for target in sorted(DIRECTIONS[direction] for direction in networks["directions"]):
                halves += _series_for(target, treatment, networks["preserve"])
    return tuple(_on_each_amount(halves, networks)), tuple(_on_each_amount(whole, networks))


def _on_each_amount(every_series: Sequence[Series], networks: Mapping[str, Any]) -> Iterator[Series]:
    for amount in amounts_of(networks):
        yield from (replace(series, examples_per_class=amount) for series in every_series)


def _series_for(target: str, treatment: str, preserve: Sequence[int]) -> Iterator[Series]:
    """The series of a treatment for a target, which of the whole set has none that needs another half."""
    fine_tuned = treatment.endswith("+")
    if not (source := source_of(treatment, target)):
        return
    yield Series(source, target, fine_tuned, plan=plan_of(treatment))
    if treatment in ("selffer", "transfer"):
        yield from (Series(source, target, preserved=layers) for layers in sorted(preserve))
