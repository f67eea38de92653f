"""The page of a data set: what is in it, class by class and file by file, to look at before a study."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from transferability.data.folders.search import Reason
from transferability.data.sharpness import sharpness_in_words
from transferability.figures.contact_sheet import contact_sheet
from transferability.figures.style import figure_style, save
from transferability.labels import visible
from transferability.report.alternatives import sheet_shown
from transferability.report.html import Picture, contact_sheet_on_page, render
from transferability.report.sheets import Sheet, sheet_of
from transferability.report.survey import Survey
from transferability.report.table_views import Column, TableView
from transferability.store.same_images import ALLOW, HEADER, REFUSE, in_words
from transferability.store.source import ImageClass
from transferability.words import counted

TEMPLATE = "data.html.j2"
TOLD, NAMED = 20, 6  # how many refused files have a sentence each; how many files of each other kind are named
LISTED = 1000  # how many files of each kind the table lists, because a kind may include all images

_CLASSES = TableView(
    "Classes",
    {
        "class": Column("class"),
        "name": Column("name"),
        "group": Column("group"),
        "training": Column("training images", lambda count: f"{count:,}"),
        "validation": Column("validation images", lambda count: f"{count:,}"),
    },
)
_SAME = TableView(
    "Duplicate images",
    {column: Column(column.replace("_", " ")) for column in HEADER},
)
_FILES = TableView("Files that are refused, passed over or treated", {"file": Column("file"), "what": Column("what")})

_IF_SHARED = {
    ALLOW: "duplicates: allow lets a study proceed, but its accuracies then include images that it was trained on",
    REFUSE: "no store is built until one of the two is removed or duplicates: allow accepts them",
}


@dataclass(frozen=True)
class DataPage:
    """Everything that the template shows."""

    name: str
    facts: Sequence[tuple[str, str]]
    problems: Sequence[str]
    refused: Sequence[str]
    refused_in_all: int
    found: Sequence[tuple[str, str]]
    sheets: Sequence[Sheet]
    picture: Picture | None


def data_page(found: Survey, classes: Sequence[ImageClass], duplicates: str, folder: Path) -> str:
    """The page of a data set, as HTML.

    Args:
        found: what is in the data set.
        classes: its classes, with groups and readable names.
        duplicates: whether to ``allow`` or ``refuse`` validation images that are also training images.
        folder: where the picture can be kept while the page is made.
    """
    page = DataPage(
        name=visible(found.source.name),
        facts=list(_facts(found)),
        problems=list(_problems(found, duplicates)),
        refused=[visible(text) for _, text in found.refused[:TOLD]],
        refused_in_all=len(found.refused),
        found=[(what, _some(files)) for what, files in _by_kind(found).items() if files],
        sheets=list(_sheets(found, classes)),
        picture=_picture(found, folder),
    )
    return render(TEMPLATE, page)


def _facts(found: Survey) -> Iterator[tuple[str, str]]:
    training, validation = found.counts.T
    side = " × ".join(map(str, found.source.image_shape))
    yield "classes", f"{len(found.counts):,}"
    yield "training images", f"{training.sum():,}, {_range(training)} per class"
    yield "validation images", f"{validation.sum():,}, {_range(validation)} per class"
    yield "every image becomes", f"{side} (height × width × channels)"
    if len(found.sizes):
        if smaller := int((found.sizes.min(axis=1) < min(found.source.image_shape[:2])).sum()):
            yield "smaller than that", f"{counted(smaller, 'image')}, enlarged"
        yield "image sizes", _sizes(found.sizes)
        yield "formats", _shares(found.formats)
        yield "modes", _shares(found.modes)
    yield "duplicate images", in_words(found.same)


def _problems(found: Survey, duplicates: str) -> Iterator[str]:
    """What would stop a study, or bias it."""
    if found.refused:
        yield (
            f"{counted(len(found.refused), 'image')} cannot be used, and no store is built until "
            f"{'it is' if len(found.refused) == 1 else 'they are'} repaired or listed in skip"
        )
    if count := found.same.validation_in_training:
        are = "is also a training image" if count == 1 else "are also training images"
        yield f"{counted(count, 'validation image')} {are}, pixel by pixel; {_IF_SHARED[duplicates]}"
    if count := found.same.of_several_classes:
        yield f"{counted(count, 'image')} {'is' if count == 1 else 'are'} identical to an image of another class"
    if found.unlike:
        yield sharpness_in_words({"": found.unlike})


def _by_kind(found: Survey) -> dict[str, Sequence[str]]:
    """Files that were passed over or treated, by the reason or treatment."""
    passed_over = {f"passed over: {reason}": _with(found.passed_over, reason) for reason in Reason}
    return {**found.treated, **passed_over}


def _with(passed_over: Mapping[str, Reason], reason: Reason) -> list[str]:
    return sorted(path for path, why in passed_over.items() if why is reason)


def _some(files: Sequence[str]) -> str:
    """The number of files and the first names."""
    more = f" and {len(files) - NAMED:,} more" if len(files) > NAMED + 1 else ""
    return f"{len(files):,}: {', '.join(map(visible, files[:NAMED] if more else files))}{more}"


def _sheets(found: Survey, classes: Sequence[ImageClass]) -> Iterator[Sheet]:
    rows = [
        (c.name, c.title or None, c.group or None, *map(int, n)) for c, n in zip(classes, found.counts, strict=True)
    ]
    yield sheet_of("classes", _CLASSES, pd.DataFrame(rows, columns=list(_CLASSES.columns)))
    kinds = _by_kind(found)
    files = [(visible(file), f"refused: {visible(text)}") for file, text in found.refused]
    files += [(visible(file), what) for what, names in kinds.items() for file in names[:LISTED]]
    if files:
        is_cut = any(len(names) > LISTED for names in kinds.values())
        rest = f"; of those passed over or treated, the first {LISTED:,} of each kind" if is_cut else ""
        view = replace(_FILES, title=_FILES.title + rest)
        yield sheet_of("files", view, pd.DataFrame(files, columns=list(_FILES.columns)))
    if found.same_rows:
        yield sheet_of("same_images", _SAME, pd.DataFrame(found.same_rows, columns=list(HEADER)))


def _range(counts: NDArray[np.int64]) -> str:
    low, high = int(counts.min()), int(counts.max())
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _sizes(sizes: NDArray[np.int64]) -> str:
    """The smallest, median and largest sizes, by area."""
    order = np.argsort(sizes.prod(axis=1), kind="stable")
    shown = [" × ".join(map(str, sizes[order[at]])) for at in (0, len(order) // 2, -1)]
    if shown[0] == shown[-1]:
        return f"{shown[0]} pixels (width × height)"
    return f"from {shown[0]} to {shown[2]} pixels, median {shown[1]} (width × height)"


def _shares(counts: Mapping[str, int]) -> str:
    return ", ".join(
        f"{name} {count:,}" for name, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    )


def _picture(found: Survey, folder: Path) -> Picture | None:
    """The contact sheet; None if no image can be used."""
    if found.preview is None:
        return None
    path = folder / "contact_sheet.png"
    with figure_style():
        save(contact_sheet(found.preview, f"{found.source.name}, the first images of each class"), path)
    return contact_sheet_on_page("Class by class", path, "contact_sheet", sheet_shown(found.source.name))
