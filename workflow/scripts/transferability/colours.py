"""Whether the config's colours are any, told before networks are trained and not when they are drawn."""

from collections.abc import Mapping

from transferability.schema import ConfigError


def require_colours(colours: Mapping[str, str]) -> None:
    """ConfigError if matplotlib does not know the colour of a treatment; no check where it is not installed."""
    try:
        from matplotlib.colors import is_color_like  # noqa: PLC0415 - jobs read the workflow too, and need not wait
    except ImportError:
        return
    for treatment, colour in colours.items():
        if not is_color_like(colour):
            raise ConfigError(
                f"config: figures.colours.{treatment}: is {colour!r}; it must be a colour, such as '#0072B2' or red"
            )
