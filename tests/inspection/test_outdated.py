"""Networks and splits made with settings other than the config's are refused, with what differs."""

import copy
from dataclasses import replace
from pathlib import Path

import pytest

from tests.project import merged
from tests.support import DEFAULT, Patterns, with_settings
from transferability.data.build import build_store
from transferability.data.splits import split_by_images, split_of_data_sets
from transferability.files import write_json
from transferability.inspection.outdated import OutdatedError, read_splits, require_current, require_split
from transferability.store.reading import open_store
from transferability.study.design import read_study
from transferability.study.names import Network
from transferability.study.settings import Foreign
from transferability.study.split_plan import SplitPlan, TaskPlan
from transferability.training.recipe import identity_of

STUDY = read_study(DEFAULT)
CHECKSUMS = {"glyphs": "checksum"}
NO_STORES = {}
CLASSES = {"A": ["a", "b"], "B": ["c", "d"]}
SPLIT = {
    "split": "random0",
    "split_type": "random",
    "seed": 0,
    "halves": {half: {"classes": [{"name": n, "group": ""} for n in names]} for half, names in CLASSES.items()},
}


def metrics_of(*names):
    made = {}
    for name in names:
        network = Network.parse(name)
        made_from = {
            **{"network": name, "split": "random0", "seed": 0, "classes": CLASSES[network.target]},
            **STUDY.asked_of("random0", network, CHECKSUMS),
            "source_sha256": network.base.name if network.base else None,
        }
        made["random0", 0, name] = {"made_from": copy.deepcopy(made_from), "sha256": name}
    return made


def require(metrics, checksums=CHECKSUMS):
    files = {key: Path(f"{key[2]}.metrics.json") for key in metrics}
    require_current(STUDY, metrics, files, {"random0": SPLIT}, checksums)


@pytest.fixture
def metrics():
    return metrics_of("baseA", "baseB", "A3B", "A3B+", "R2A")


def test_what_the_config_asks_for_is_accepted(metrics):
    require(metrics)
    require(metrics, NO_STORES)
    require({})


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (["hyperparameters", "iterations"], 7, "hyperparameters.iterations is 7, by the config it is 500"),
        (["hyperparameters", "new"], 7, "hyperparameters.new is 7, by the config it is None"),
        (["preprocessing", "crop"], 7, "preprocessing.crop is 7, by the config it is 0"),
        (["architecture"], "caffenet", "architecture is 'caffenet', by the config it is 'mini_caffenet'"),
        (["engine_version"], 1, "engine_version is 1, by"),
        (["data_set"], "cifar", "data_set is 'cifar', by the config it is 'glyphs'"),
        (["store_checksum"], "other", "store_checksum is 'other', by the config it is 'checksum'"),
        (["classes"], ["x"], r"classes is \['x'\], by"),
        (["network"], "A4B", "network is 'A4B', by"),
        (["split"], "random1", "split is 'random1', by"),
        (["seed"], 3, "seed is 3, by"),
        (["frozen_batch_norm"], "adapt", "frozen_batch_norm is 'adapt', by the config it is None"),
        (["source_sha256"], "older", "source_sha256 is 'older', that of baseA is 'baseA'"),
        (["hyperparameters"], [[[]]], "hyperparameters is "),
    ],
)
def test_any_other_setting_is_named_with_both_values(metrics, path, value, message):
    made = metrics["random0", 0, "A3B"]["made_from"]
    for key in path[:-1]:
        made = made[key]
    made[path[-1]] = value
    with pytest.raises(OutdatedError, match=rf"^A3B\.metrics\.json: its {message}.*; set the config back, or delete "):
        require(metrics)
    if path[0] not in ("classes", "network", "split", "seed"):  # these identify a network, or only a split has them
        assert ("random0", 0, "A3B") not in STUDY.current(metrics, CHECKSUMS)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("channels", 3),
        ("images_seed", 0),
        ("drawn_batch_norm", "adapt"),
        ("cuts", ["stem"]),
        ("options", {}),
        ("code_sha256", "0"),
        ("mean_data_set", "glyphs"),
        ("mean_store_checksum", "checksum"),
        ("mean_classes", ["a"]),
    ],
)
def test_what_the_config_does_not_ask_for_is_no_part_of_a_network(metrics, key, value):
    metrics["random0", 0, "A3B"]["made_from"][key] = value
    with pytest.raises(
        OutdatedError, match=rf"^A3B\.metrics\.json: its {key} is .*, by the config it is None; set the"
    ):
        require(metrics)
    assert ("random0", 0, "A3B") not in STUDY.current(metrics, CHECKSUMS)


FOLDER = {"kind": "folder", "root": "nowhere", "size": 24}
OF_TWO = {"name": "of_two", "A": {"dataset": "glyphs"}, "B": {"dataset": "photos"}}


@pytest.mark.parametrize(
    ("changes", "network", "key", "value"),
    [
        ({"splits": [OF_TWO], "datasets": {"photos": FOLDER}}, "A", "channels", 3),
        ({"splits": [OF_TWO], "datasets": {"photos": FOLDER}}, "B", "channels", None),
        ({"splits": [OF_TWO], "datasets": {"photos": FOLDER | {"channels": 1}}}, "A", "channels", None),
        ({"splits": [{"name": "images1", "by": "images"}]}, "A", "images_seed", 1),
    ],
)
def test_what_the_config_asks_for_is_part_of_a_network(changes, network, key, value):
    study = read_study(merged(DEFAULT, changes))
    (split,) = study.splits
    name = Network(network).name
    asked = {
        "network": name,
        "split": split,
        "seed": 0,
        **study.asked_of(split, Network(network)),
        "source_sha256": None,
    }
    made_from = {part: content for part, content in asked.items() if content is not None}  # as they are recorded

    def require(made_from):
        metrics = {(split, 0, name): {"made_from": made_from, "sha256": "x"}}
        assert set(study.current(metrics)) == ({*metrics} if made_from.get(key) == value else set())
        require_current(study, metrics, {(split, 0, name): Path("its.metrics.json")}, {}, NO_STORES)

    require(made_from)
    for other in {3: [None, 1], 1: [None, 0], None: [3]}[value]:
        with pytest.raises(OutdatedError, match=f"its {key} is {other}, by the config it is {value}"):
            require({part: content for part, content in (made_from | {key: other}).items() if content is not None})


def test_each_part_of_an_identity_is_asked_for_or_known_from_elsewhere(recipe, tmp_path):
    """What is not asked for could come and go unnoticed."""
    build_store(Patterns(name="color", image_shape=(16, 16, 3)), tmp_path)
    of_two = {"A": recipe.store, "B": open_store(tmp_path)}
    tasks = {half: TaskPlan(store.name) for half, store in of_two.items()}
    split = split_of_data_sets("of_two", tasks, {half: store.classes for half, store in of_two.items()})
    foreign = Foreign(("stem",), (("width", 6),), "code", "adapt")
    identities = [
        identity_of(replace(recipe, store=of_two, split=split), Network("A"), None),
        identity_of(replace(recipe, split=split_by_images(recipe.store.classes, "images0", 0)), Network("A"), None),
        identity_of(with_settings(recipe, foreign=foreign), Network.parse("B3B_reinitialized"), "weights"),
        identity_of(
            with_settings(recipe, preprocessing=replace(recipe.settings.preprocessing, mean="A")), Network("B"), None
        ),
    ]
    elsewhere = {"network", "split", "seed", "classes", "store_checksum", "source_sha256"}
    parts = {key for identity in identities for key in identity}
    assert {"channels", "images_seed", "drawn_batch_norm", "frozen_batch_norm", "mean_classes", "cuts"} <= parts
    assert parts <= {*STUDY.asked_of("random0", Network("A")), *elsewhere}


def test_a_copy_of_an_outdated_base_is_outdated(metrics):
    metrics["random0", 0, "baseA"]["made_from"]["engine_version"] = 1
    with pytest.raises(OutdatedError, match="and so on for 3 networks in all"):
        require(metrics)


def test_where_the_store_is_away_its_name_tells(metrics):
    for made in metrics.values():
        made["store"] = STUDY.data_set.store_folder.name
    require(metrics, NO_STORES)
    metrics["random0", 0, "A3B"]["store"] = "glyphs-0123"
    require(metrics)
    with pytest.raises(OutdatedError, match=r"^A3B\.metrics\.json: its store is 'glyphs-0123', by the config and its"):
        require(metrics, NO_STORES)
    assert ("random0", 0, "A3B") not in STUDY.current(metrics)


def test_of_what_is_centered_by_a_half_that_halfs_images_are_asked_for_too():
    study = read_study(merged(DEFAULT, {"preprocessing": {"mean": "A"}}))
    made_from = {
        **{"network": "baseB", "split": "random0", "seed": 0, "classes": CLASSES["B"], "mean_classes": CLASSES["A"]},
        **study.asked_of("random0", Network("B"), CHECKSUMS),
        "source_sha256": None,
    }
    today = study.data_set.store_folder.name
    key = ("random0", 0, "baseB")

    def require(checksums, mean_store=today, **changes):
        metrics = {key: {"made_from": made_from | changes, "store": today, "mean_store": mean_store, "sha256": "x"}}
        require_current(study, metrics, {key: Path("baseB.metrics.json")}, {"random0": SPLIT}, checksums)

    require(CHECKSUMS)
    require(NO_STORES)
    with pytest.raises(OutdatedError, match=r"its mean_classes is \['x'\], by the config it is \['a', 'b'\]"):
        require(CHECKSUMS, mean_classes=["x"])
    with pytest.raises(OutdatedError, match="its mean_store_checksum is 'other', by the config it is 'checksum'"):
        require(CHECKSUMS, mean_store_checksum="other")
    with pytest.raises(OutdatedError, match="its mean_store is 'glyphs-0123', by the config and its lists"):
        require(NO_STORES, mean_store="glyphs-0123")


@pytest.mark.parametrize("change", [{"seed": 1}, {"seed": None}, {"split": "other"}, {"halves": 3}])
def test_a_split_of_another_config_is_refused_by_name(change, tmp_path):
    path = tmp_path / "random0.json"
    write_json(path, SPLIT)
    assert read_splits({"random0": path}, STUDY) == {"random0": SPLIT}
    write_json(path, SPLIT | change)
    with pytest.raises(OutdatedError, match=r"random0\.json: .*; set the config back, or delete the file"):
        read_splits({"random0": path}, STUDY)


def test_a_split_of_other_groups_is_refused(tmp_path):
    path = tmp_path / "letters_symbols.json"
    halves = {h: {"classes": [{"name": h, "group": g}]} for h, g in (("A", "symbol"), ("B", "letter"))}
    write_json(path, {"split": "letters_symbols", "split_type": "semantic", "seed": None, "halves": halves})
    with pytest.raises(OutdatedError, match=r"half A has the groups \['symbol'\], the config's is 'letter'"):
        read_splits({"letters_symbols": path}, STUDY)


def test_a_split_of_some_classes_is_none_of_all(tmp_path):
    plan = SplitPlan("of_two", None, None, {half: TaskPlan("patterns") for half in "AB"})
    half = {"data_set": "patterns", "classes": [{"name": "a", "group": ""}, {"name": "b", "group": ""}]}
    content = {"split": "of_two", "seed": None, "split_type": "data_sets", "halves": {"A": half, "B": half}}
    require_split(content, plan, tmp_path, {"A": 2, "B": 2})
    require_split(content, plan, tmp_path)
    with pytest.raises(OutdatedError, match="half B has 2 of the 6 classes of patterns, by the config it has all"):
        require_split(content, plan, tmp_path, {"A": 2, "B": 6})
