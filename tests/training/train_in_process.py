"""Trains networks in a separate process, for tests that kill it. Its argument is JSON, from `in_a_process`."""

import json
import sys
from pathlib import Path

from tests.support import die_at_write, files_in
from transferability.data.splits import random_split
from transferability.process.determinism import use_threads
from transferability.store.reading import open_store
from transferability.study.settings import Settings
from transferability.training.recipe import Recipe, Running
from transferability.training.train import train

arguments = json.loads(sys.argv[1])
use_threads(1)
store = open_store(Path(arguments["store"]))
recipe = Recipe(
    store=store,
    split=random_split(store.classes, "random0", 0),
    seed=0,
    settings=Settings.from_json(arguments["settings"]),
)
running = Running(
    Path(arguments["states"]), "cpu", state_every_seconds=0.0, log_every_seconds=60.0, say=lambda _line: None
)
if "die_at_write" in arguments:
    die_at_write(arguments["die_at_write"])
print("ready", flush=True)
train(recipe, files_in(Path(arguments["folder"]), *arguments["names"]), Path(arguments["source"]), running)
