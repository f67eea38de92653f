"""What a study knows about a network that is not the project's own: where it is, what is refused, what is cached."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.networks import own_networks
from tests.support import DEFAULT, ROOT
from transferability.study import foreign_networks
from transferability.study.design import read_study
from transferability.study.schema import ConfigError

OWN = Path(own_networks.__file__)
CUTS = ["stem", "block1", "block2"]
IN_PROCESS = pytest.mark.usefixtures("described_in_process")


@pytest.fixture
def config_of(tmp_path):
    def config_of(**networks):
        chosen = {"architecture": f"{OWN}:Dropping", "cuts": CUTS, "depths": "all", "fine_tuned_depths": [], **networks}
        places = {"results": str(tmp_path / "results"), "stores": str(tmp_path / "stores")}
        return DEFAULT | places | {"networks": DEFAULT["networks"] | chosen}

    return config_of


@IN_PROCESS
def test_depths_and_layers_are_those_of_the_network(config_of):
    study = read_study(config_of())
    assert study.layers == ("stem", "block1", "block2", "fc")
    assert study.config["networks"]["depths"] == [1, 2, 3]
    assert [rule.networks for rule in study.training_rules if rule.stage == "frozen"] == [
        ("{source}1{target}", "{source}2{target}", "{source}3{target}")
    ]
    assert read_study(config_of(cuts="blocks")).settings("base").foreign.cuts == tuple(CUTS)


@IN_PROCESS
def test_the_projects_own_networks_have_the_identities_that_they_had(config_of):
    study = read_study(config_of(architecture="mini_caffenet", cuts="stages"))
    assert study.config["networks"]["depths"] == [1, 2, 3, 4, 5, 6, 7]
    assert study.settings("frozen").to_json().keys() == {
        "engine_version",
        "architecture",
        "preprocessing",
        "hyperparameters",
    }


def test_it_is_described_once(config_of, tmp_path, monkeypatch):
    read_study(config_of())
    (file,) = (tmp_path / "results" / foreign_networks.FOLDER).iterdir()
    remembered = json.loads(file.read_text())
    foreign_networks._description.cache_clear()
    monkeypatch.setattr(foreign_networks, "_ask", lambda _asked: pytest.fail("asked again"))
    study = read_study(config_of())
    assert study.layers == tuple(remembered["layers"])


@IN_PROCESS
def test_a_damaged_memory_is_made_again(config_of, tmp_path):
    read_study(config_of())
    (file,) = (tmp_path / "results" / foreign_networks.FOLDER).iterdir()
    whole = file.read_text()
    file.write_text(whole[:20])
    foreign_networks._description.cache_clear()
    assert read_study(config_of()).layers[-1] == "fc"
    assert file.read_text() == whole


def test_once_described_it_takes_no_torch(config_of):
    config = config_of()
    read_study(config)
    code = (
        "import json, sys; from transferability.study.design import read_study; "
        "read_study(json.load(sys.stdin)); print({'torch', 'pandas'} & {*sys.modules})"
    )
    environment = {"PYTHONPATH": str(ROOT / "workflow" / "scripts"), "PATH": ""}
    command = [sys.executable, "-c", code]
    found = subprocess.run(
        command, input=json.dumps(config), capture_output=True, text=True, env=environment, check=True
    )
    assert found.stdout.strip() == "set()"


@IN_PROCESS
def test_a_file_is_found_beside_the_config_first(config_of, tmp_path):
    (tmp_path / "mine.py").write_text(OWN.read_text())
    study = read_study(config_of(architecture="mine.py:Dropping"), beside=[tmp_path])
    assert study.config["networks"]["architecture"] == f"{tmp_path / 'mine.py'}:Dropping"


@IN_PROCESS
@pytest.mark.parametrize(
    ("edit", "same"),
    [
        (lambda code: f"# a comment\n{code}", True),
        (lambda code: code.replace('"""Uses one layer twice."""', '"""Uses it again."""'), True),
        (lambda code: code.replace("width=6", "width=7"), False),
    ],
)
def test_code_that_changes_makes_other_networks(config_of, tmp_path, edit, same):
    before, after = tmp_path / "before", tmp_path / "after"
    for folder, code in ((before, OWN.read_text()), (after, edit(OWN.read_text()))):
        folder.mkdir()
        (folder / "mine.py").write_text(code)
    one, other = (
        read_study(config_of(architecture="mine.py:Dropping"), beside=[folder]).settings("base").foreign
        for folder in (before, after)
    )
    assert (one == other) == same


@IN_PROCESS
@pytest.mark.parametrize(
    ("file", "code", "same"),
    [
        ("blocks.py", "# a comment\nfrom sizes import WIDTH", True),
        ("blocks.py", "from sizes import WIDTH as W\nWIDTH = W", False),
        ("sizes.py", "WIDTH = 7", False),
        ("unused.py", "WIDTH = 7", True),
    ],
)
def test_code_beside_it_that_it_imports_makes_other_networks_too(config_of, tmp_path, file, code, same):
    found = []
    for name, changes in (("before", {}), ("after", {file: code})):
        files = {
            "mine.py": f"from blocks import WIDTH\n{OWN.read_text()}".replace("width=6", "width=WIDTH"),
            "blocks.py": "from sizes import WIDTH",
            "sizes.py": "WIDTH = 6",
            "unused.py": "",
        }
        (tmp_path / name).mkdir()
        for path, text in (files | changes).items():
            (tmp_path / name / path).write_text(text)
        config = config_of(architecture="mine.py:Dropping")
        found.append(read_study(config, beside=[tmp_path / name]).settings("base").foreign)
    assert (found[0] == found[1]) == same


def test_code_that_imports_nothing_beside_it_has_the_digest_that_it_had(tmp_path):
    (tmp_path / "mine.py").write_text(
        '"""A network."""\nimport torch\n\ndef net(num_classes):  # mine\n    return torch\n'
    )
    (tmp_path / "blocks.py").write_text("")
    digest = "821353ccc71d2706899b8082c951e2fb4653dd69b9499eddfd824a7febfb1e6c"
    assert foreign_networks._code_digest(f"{tmp_path / 'mine.py'}:net") == digest


@pytest.mark.parametrize("file", ["mine.py", "blocks.py"])
def test_code_that_cannot_be_read_is_named(config_of, tmp_path, file):
    for name, code in {"mine.py": "import blocks", "blocks.py": "", file: "def"}.items():
        (tmp_path / name).write_text(code)
    with pytest.raises(ConfigError, match=rf"^config: networks\.architecture: {tmp_path / file}: cannot be read as Py"):
        read_study(config_of(architecture=f"{tmp_path / 'mine.py'}:Net"))


@IN_PROCESS
@pytest.mark.parametrize(
    ("networks", "why"),
    [
        (
            {"architecture": "resnet18"},
            "it must be one of caffenet, mini_caffenet, small_caffenet, or torchvision/<name>",
        ),
        ({"architecture": "my_net:Net"}, "did you mean my_net.py:Net?"),
        ({"architecture": "nowhere.py:Net"}, "there is no file nowhere.py"),
        ({"architecture": "torchvision/resnet17"}, "torchvision has no classifier 'resnet17'; did you mean"),
        ({"cuts": ["stem", "blocc1"]}, "has no module 'blocc1'; the nearest names are block1"),
        ({"cuts": "stage"}, "networks.cuts: is 'stage'; it must be stages, blocks, or a list of names of modules"),
        ({"depths": [4]}, "has no cut at 4; its cuts are n = 1 to 3, stem to block2"),
        ({"depths": "some"}, "networks.depths: is 'some'; it must be all, or a list of numbers"),
        ({"options": {"width": 6, "depth": 3}}, r"networks\.options: depth is 3, but .* has no argument depth"),
        (
            {"options": {"num_classes": 10}},
            r"networks\.options\.num_classes: is 10, but the study itself tells every network the number of classes",
        ),
        (
            {"options": {"image_shape": [32, 32, 3]}},
            r"networks\.options\.image_shape: is \[32, 32, 3\], but the study itself tells every network the shape of",
        ),
        (
            {"architecture": "timm/resnet18", "options": {"img_size": 32}},
            r"networks\.options\.img_size: is 32, but the study itself tells every network the size of the images; rem",
        ),
        (
            {"architecture": "torchvision/vit_b_16", "options": {"image_size": 32}},
            r"networks\.options\.image_size: is 32, but the study itself tells every network the size of the images",
        ),
        (
            {"architecture": "timm/resnet18", "options": {"in_chans": 3}},
            r"networks\.options\.in_chans: is 3, but the images have 1 channel, for which timm's networks are built",
        ),
        (
            {"architecture": "timm/resnet18", "options": {"pretrained": True}},
            r"networks\.options\.pretrained: is true, but every network draws its own weights; remove it, or name weig",
        ),
        (
            {"architecture": "caffenet", "cuts": "stages", "options": {"width": 6}},
            "networks.options: caffenet takes none",
        ),
        (
            {"architecture": "caffenet", "cuts": "stages", "batch_norm": {"frozen": "adapt"}},
            "caffenet has no batch norm",
        ),
        ({"architecture": "caffenet", "cuts": ["conv1"]}, "networks.cuts: caffenet has its own layers"),
        (
            {"batch_norm": {"frozen": "target"}},
            "networks.batch_norm.frozen: is 'target'; it must be one of source, adapt",
        ),
    ],
)
def test_what_is_wrong_is_told_before_anything_runs(config_of, networks, why):
    with pytest.raises(ConfigError, match=why):
        read_study(config_of(**networks))
