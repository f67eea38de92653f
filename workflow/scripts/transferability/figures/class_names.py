"""The names of classes on contact sheets, and whether they can be drawn."""

from matplotlib.figure import Figure

from transferability.figures.fonts import text_style
from transferability.figures.rendering import own_settings
from transferability.labels import reason_of, visible, wrapped
from transferability.store.reading import Store
from transferability.store.source import ImageClass

_LABEL = 26  # letters on a line, beside a class's images


def class_label(image_class: ImageClass) -> str:
    """The name of a class and, below it, its group if it has one."""
    lines = [wrapped(image_class.shown, _LABEL)]
    if image_class.group:
        lines.append(wrapped(image_class.group, _LABEL, lines=1))
    return "\n".join(lines)


def try_names(store: Store, name: str) -> None:
    """Lay out every name that contact sheets show, without saving anything; ValueError for one that cannot be drawn.

    This is meant for the time before training, because sheets may be drawn only after networks are trained.
    """
    with own_settings():
        figure = Figure()
        for text in (name, store.name, *map(class_label, store.classes)):
            try:
                figure.text(0, 0, text, **text_style(text)).get_window_extent()
            except Exception as error:
                what = f"{visible(store.name)}: the name {visible(text)}"
                raise ValueError(f"{what} cannot be drawn ({reason_of(error)}); rename it") from error
