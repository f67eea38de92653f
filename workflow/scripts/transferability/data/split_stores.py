"""The stores of a study's splits: one for all halves of a data set, or one for each of two data sets."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from transferability.data.splits import SplitError
from transferability.store.reading import Store, open_store
from transferability.study.data_sets import DataSet
from transferability.study.design import Study
from transferability.study.groups import described, grouped, read_groups
from transferability.study.image_keys import no_common_mean, unequal_sizes
from transferability.study.names import HALVES


def open_stores(study: Study, split: str, manifests: Sequence[Path]) -> dict[str, Store]:
    """The stores of a split, by target; SplitError as in `require_one_size`.

    Args:
        study: the study that has the split.
        split: the split's name.
        manifests: of the stores of its data sets, in the order of `Study.data_sets_of`.
    """
    names = [data_set.name for data_set in study.data_sets_of(split)]
    opened = {name: open_store(manifest.parent) for name, manifest in zip(names, manifests, strict=True)}
    stores = stores_of_split(study, split, opened)
    require_one_size(study, split, stores)
    return stores


def stores_of_split(study: Study, split: str, opened: Mapping[str, Store]) -> dict[str, Store]:
    """The stores of a split, by target, from stores by the names of their data sets."""
    return {target: opened[study.data_set_of(split, target).name] for target in study.splits[split].targets}


def with_groups(study: Study, split: str, stores: Mapping[str, Store]) -> dict[str, Store]:
    """The stores of a split, by target, with classes in groups if the split asks for them."""
    plan = study.splits[split]

    def asked_for_groups(data_set: DataSet) -> bool:
        tasks = plan.tasks or {}
        return bool(plan.groups) or any(t.group is not None for t in tasks.values() if t.data_set == data_set.name)

    def one(target: str, store: Store) -> Store:
        data_set = study.data_set_of(split, target)
        file = data_set.groups_file
        if file is None or not asked_for_groups(data_set):
            return store
        return replace(store, classes=grouped(store.classes, read_groups(file), file))

    return {target: one(target, store) for target, store in stores.items()}


def described_stores(study: Study, split: str, stores: Mapping[str, Store]) -> dict[str, Store]:
    """The stores of a split, by target, with classes named as figures show them."""
    return {
        target: replace(store, classes=described(store.classes, study.data_set_of(split, target).groups_file))
        for target, store in stores.items()
    }


def require_one_size(study: Study, split: str, stores: Mapping[str, Store]) -> None:
    """SplitError if the images of a split cannot be seen by the same networks.

    Layers cannot be copied between networks that see images of different sizes, and a mean image cannot be subtracted
    from images of another size.
    """
    crop, mean = (study.config["preprocessing"][key] for key in ("crop", "mean"))
    height_and_width = {store.name: store.image_shape[:2] for store in stores.values()}
    if len(set(height_and_width.values())) == 1:
        return
    if not crop:
        raise SplitError(f"split {split}: preprocessing.{unequal_sizes(height_and_width)}")
    if mean in HALVES:
        raise SplitError(f"split {split}: preprocessing.{no_common_mean(mean, height_and_width)}")
