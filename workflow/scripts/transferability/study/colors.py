"""Whether the config's colors exist, checked before networks are trained and not only when figures are drawn."""

from collections.abc import Mapping

from transferability.study.schema import ConfigError


def require_colors(colors: Mapping[str, str]) -> None:
    """Raise ConfigError if matplotlib does not know a treatment's color, or if the color is invisible.

    There is no check if matplotlib is not installed. It reads the user's settings when it is first imported, as here;
    an error in them would stop every job that draws.
    """
    try:
        from matplotlib.colors import is_color_like, to_rgba  # noqa: PLC0415 - jobs read the workflow too
    except ImportError:
        return
    except UnicodeDecodeError as error:
        raise ConfigError(
            "matplotlibrc: matplotlib cannot read its settings, which are not UTF-8 text; save the file as UTF-8 or "
            f"remove it: it is the first that exists of ./matplotlibrc, $MATPLOTLIBRC, ~/.config/matplotlib ({error})"
        ) from error
    for treatment, color in colors.items():
        if not is_color_like(color) or to_rgba(color)[3] == 0:
            raise ConfigError(
                f"config: figures.colors.{treatment}: is {color!r}; it must be a color that can be seen, such as "
                "'#0072B2' or red"
            )
