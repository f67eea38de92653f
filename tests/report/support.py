"""What tests of a data set's survey and page need: small folders of photos, and what is made from them."""

import numpy as np
from PIL import Image, ImageFilter

from transferability.data.folders.source import image_folders
from transferability.process.pace import Pace
from transferability.report.data_page import data_page
from transferability.report.survey import survey
from transferability.store.same_images import REFUSE
from transferability.study.folder_keys import FolderKeys
from transferability.study.groups import described


def save(path, *, seed=None, size=(20, 20), mode="RGB", **how):
    """Save an image of noise, a different one for each path or seed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(list(path.name.encode()) if seed is None else seed)
    pixels = noise.integers(0, 200, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).convert(mode).save(path, **how)
    return path


def photos(root):
    """Two classes with training and validation images, nothing special about any."""
    for name in ("cat", "dog"):
        for i in range(3):
            save(root / "train" / name / f"{name}{i}.png")
        save(root / "val" / name / f"{name}_val.png")
    return root


def unlike_photos(root, count=20):
    """Photos whose validation images are the smoother ones."""
    for name in ("cat", "dog"):
        for i in range(count):
            save(root / "train" / name / f"{name}{i}.png")
            sharp = save(root / "val" / name / f"{name}{i}.png", seed=[len(name), i])
            Image.open(sharp).filter(ImageFilter.BoxBlur(1)).save(sharp)
    return root


def surveyed(folder, threads=1, classes=None, **settings):
    lines = []
    with image_folders("mine", FolderKeys(root=str(folder), size=16, **settings)) as source:
        count = len(source.training) + len(source.validation)
        found = survey(source, classes or source.classes, threads, Pace(lines.append, count, log_every_seconds=0))
    return found, lines


def page_of(root, groups=None, duplicates=REFUSE, **settings):
    found, _ = surveyed(root, **settings)
    return data_page(found, described(found.source.classes, groups), duplicates, root.parent)
