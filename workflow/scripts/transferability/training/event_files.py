"""Learning curves for TensorBoard, to be followed while networks are in training.

Each network has a folder, with an event file of each attempt at its training. An attempt begins its file by declaring
void what was written before, and with the evaluations in the network's state: so nothing is there twice or missing,
whenever the job before was killed. Files stay, since a TensorBoard whose file is removed would not go on to the next.
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

# By column of a history. TensorBoard draws names with the same beginning beside each other.
TAGS = {
    "validation_top1": "accuracy/top1",
    "validation_top5": "accuracy/top5",
    "validation_balanced": "accuracy/balanced",
    "training_loss": "loss/training",
    "validation_loss": "loss/validation",
    "learning_rate": "learning_rate",
}


def require_tensorboard() -> None:
    """ValueError if the package is not there; found without importing it."""
    if importlib.util.find_spec("tensorboard") is None:
        raise ValueError(
            "running.tensorboard: is true, but the package tensorboard is not installed; "
            "pip install tensorboard, or set it to false"
        )


@contextmanager
def event_files(folder: Path, wanted: bool) -> Iterator[Sequence[Callable[[Progress], None]]]:
    """What is to be called with every `Progress` to keep event files under ``folder``, if they are wanted.

    Like a log, they are for others to read: if one cannot be written, the job goes on.

    Raises:
        ValueError: they are wanted and TensorBoard is not installed.
    """
    if not wanted:
        yield []
        return
    require_tensorboard()
    writers: dict[str, SummaryWriter] = {}
    written: defaultdict[str, int] = defaultdict(int)  # evaluations of each network
    with ExitStack() as stack:

        def watch(progress: Progress) -> None:
            for name, history in progress.histories.items():
                with suppress(OSError):
                    if name not in writers:
                        writers[name] = _new_event_file(folder / name)
                        stack.callback(_close, writers[name])
                    for row in history[written[name] :]:
                        for column in TAGS.keys() & row.keys():  # those of an earlier version have fewer
                            writers[name].add_scalar(TAGS[column], row[column], int(row["iteration"]))
                    written[name] = len(history)
                    writers[name].flush()

        yield [watch]


def _close(writer: "SummaryWriter") -> None:
    with suppress(OSError):
        writer.close()


def _new_event_file(folder: Path) -> "SummaryWriter":
    """The writer of a file that makes void the folder's others."""
    from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415 - not everyone has it

    return SummaryWriter(str(folder), purge_step=0)
