"""The learning curve of a training: files that grow with every epoch, and lines for the user."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path

from dvclive import Live

from stages.runtime.progress import Pace

Figures = dict[str, float]  # of an epoch: loss, accuracy, and both on validation (val_…)


class Curve:
    """Writes the figures of every epoch to a folder, if any, and prints them with the time left.

    A terminal shows every epoch, a log some of them and the last one; nothing is printed where it
    is `quiet`. `done` are the figures of the epochs that a training before this one got through.
    """

    def __init__(
        self, folder: Path | None, epochs: int, done: Sequence[Figures], quiet: bool = False
    ) -> None:
        # Without dvcyaml=None DVCLive would rewrite the project's own dvc.yaml.
        settings = {"dvcyaml": None, "save_dvc_exp": False, "report": None}
        self.live = Live(str(folder), **settings) if folder else None
        self.epochs, self.first, self.quiet = epochs, len(done), quiet
        self.started, self.pace = time.monotonic(), Pace(epochs)
        self.unsaid = ""  # the line of the last epoch, where it was not printed
        for number, figures in enumerate(done, start=1):
            self._write(number, figures)

    def add(self, epoch: int, figures: Figures) -> None:
        """The figures of one more epoch, counted from 1."""
        self._write(epoch, figures)
        each = (time.monotonic() - self.started) / (epoch - self.first)
        left = int(each * (self.epochs - epoch))
        self.unsaid = (
            f"epoch {epoch}/{self.epochs}"
            f"  loss {figures['loss']:.3f} accuracy {figures['accuracy']:.3f}"
            f"  validation loss {figures['val_loss']:.3f} accuracy {figures['val_accuracy']:.3f}"
            f"  {left // 60}:{left % 60:02d} left"
        )
        if self.pace.is_due(epoch) or sys.stdout.isatty():
            self._say()

    def end(self) -> None:
        self._say()
        if self.live:
            self.live.end()

    def _say(self) -> None:
        if self.unsaid and not self.quiet:
            print(self.unsaid, flush=True)
        self.unsaid = ""

    def _write(self, epoch: int, figures: Figures) -> None:
        if not self.live:
            return
        self.live.step = epoch
        for name, value in figures.items():
            split, _, figure = name.rpartition("_")
            self.live.log_metric(f"{'validation' if split else 'train'}/{figure}", value)
        self.live.make_summary()


def in_words(chosen: Figures) -> str:
    """What a training came to, from the figures of the epoch that it chose."""
    return (
        f"weights of epoch {chosen['epoch']}, validation accuracy "
        f"{chosen['validation_accuracy']:.3f}, loss {chosen['validation_loss']:.3f}"
    )
