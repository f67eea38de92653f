"""The network architectures, one per file: a file's name is the architecture's name in the config.

Each file has ``LAYERS``, the names of its layers, and an ``ARCHITECTURE``, which builds them. Nothing here imports
torch, because Snakemake reads all names whenever it starts.
"""

import ast
from pathlib import Path

FOLDER = Path(__file__).parent


def architecture_names() -> tuple[str, ...]:
    """The names of all files in this folder, found without importing them."""
    return tuple(sorted(path.stem for path in FOLDER.glob("[!_]*.py")))


def architecture_layers(name: str) -> tuple[str, ...]:
    """The names of an architecture's layers, lowest first, read without importing its file.

    A network of L layers is cut at depths n from 1 to L - 1. ValueError if the file does not name two or more.
    """
    path = FOLDER / f"{name}.py"
    for statement in ast.parse(path.read_text(encoding="utf-8")).body:
        match statement:
            case ast.Assign(targets=[ast.Name(id="LAYERS")], value=ast.Tuple(elts=[_, _, *_]) as names):
                return tuple(map(str, ast.literal_eval(names)))
    raise ValueError(f'{path}: does not name two or more layers; add a line such as LAYERS = ("conv1", "conv2", "fc3")')
