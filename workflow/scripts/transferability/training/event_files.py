"""Learning curves for TensorBoard, to be followed during training.

Each network has a folder with one event file per attempt at its training. An attempt's file begins by purging what was
written before and repeating the evaluations in the network's state, so nothing is duplicated or missing, no matter when
the previous job was killed. Old files stay, because TensorBoard would not move on from a file that was removed.
"""

import importlib.util
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from transferability.records.progress import Progress

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

# By column of a history. TensorBoard groups tags with the same prefix.
TAGS = {
    "validation_top1": "accuracy/top1",
    "validation_top5": "accuracy/top5",
    "validation_balanced": "accuracy/balanced",
    "training_loss": "loss/training",
    "validation_loss": "loss/validation",
    "learning_rate": "learning_rate",
}


def require_tensorboard() -> None:
    """Raise ValueError if the package is not installed, without importing it."""
    if importlib.util.find_spec("tensorboard") is None:
        raise ValueError(
            "running.tensorboard: is true, but the package tensorboard is not installed; "
            "pip install tensorboard, or set it to false"
        )


@contextmanager
def event_files(folder: Path, wanted: bool) -> Iterator[Sequence[Callable[[Progress], None]]]:
    """Yield what to call with every `Progress` to keep event files under ``folder``; nothing if they are not wanted.

    As with a log, the job goes on if one cannot be written.

    Raises:
        ValueError: they are wanted and TensorBoard is not installed.
    """
    if not wanted:
        yield []
        return
    require_tensorboard()
    writers: dict[str, SummaryWriter] = {}
    written: defaultdict[str, int] = defaultdict(int)  # number of evaluations, by network
    with ExitStack() as stack:

        def watch(progress: Progress) -> None:
            for name, history in progress.histories.items():
                with suppress(OSError):
                    if name not in writers:
                        writers[name] = _new_event_file(folder / name)
                        stack.callback(_close, writers[name])
                    for row in history[written[name] :]:
                        for column in TAGS.keys() & row.keys():  # histories of an earlier version have fewer
                            writers[name].add_scalar(TAGS[column], row[column], int(row["iteration"]))
                    written[name] = len(history)
                    writers[name].flush()

        yield [watch]


def _close(writer: "SummaryWriter") -> None:
    with suppress(OSError):
        writer.close()


def _new_event_file(folder: Path) -> "SummaryWriter":
    """A writer whose file purges what the folder's other files have."""
    from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415 - not everyone has it

    return SummaryWriter(str(folder), purge_step=0)
