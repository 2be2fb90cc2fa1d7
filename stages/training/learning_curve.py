"""The learning curve of a training: files that grow with every epoch, and a line on the screen."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from dvclive import Live

Figures = dict[str, float]  # of an epoch: loss, accuracy, and both on validation (val_…)


class Curve:
    """Writes the figures of every epoch to a folder, and prints them with the time left.

    `done` are the figures of the epochs that a training before this one got through.
    """

    def __init__(self, folder: Path, epochs: int, done: Sequence[Figures]) -> None:
        # Without dvcyaml=None DVCLive would rewrite the project's own dvc.yaml.
        self.live = Live(str(folder), dvcyaml=None, save_dvc_exp=False, report=None)
        self.epochs, self.first = epochs, len(done)
        self.started = time.monotonic()
        for number, figures in enumerate(done, start=1):
            self._write(number, figures)

    def add(self, epoch: int, figures: Figures) -> None:
        """The figures of one more epoch, counted from 1."""
        self._write(epoch, figures)
        each = (time.monotonic() - self.started) / (epoch - self.first)
        left = int(each * (self.epochs - epoch))
        print(
            f"epoch {epoch}/{self.epochs}"
            f"  loss {figures['loss']:.3f} accuracy {figures['accuracy']:.3f}"
            f"  validation loss {figures['val_loss']:.3f} accuracy {figures['val_accuracy']:.3f}"
            f"  {left // 60}:{left % 60:02d} left",
            flush=True,
        )

    def end(self) -> None:
        self.live.end()

    def _write(self, epoch: int, figures: Figures) -> None:
        self.live.step = epoch
        for name, value in figures.items():
            split, _, figure = name.rpartition("_")
            self.live.log_metric(f"{'validation' if split else 'train'}/{figure}", value)
        self.live.make_summary()
