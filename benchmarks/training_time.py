"""How long each run of params.yaml takes to train: reports/training_time.csv.

    python -m benchmarks.training_time     # on a machine that does nothing else; minutes

Seconds of the stages that a run needs, each from Python's start to its end: `features` and
`transfer`, for a fine-tuned one `finetune` too. No stage, for the same reason as latency.py.
Needs data/rgb, data/split.csv and models/*/pretrained; it works in a folder of its own.
"""

from __future__ import annotations

from benchmarks.latency import machine
from benchmarks.workplace import ROOT, stage, study_params, workplace
from stages.tables import write_table

COLUMNS = ("network", "phase", "machine", "seconds", "epochs")


def main() -> None:
    params = study_params()
    borrowed = ["data", *(f"models/{model}/pretrained" for model in params["models"])]
    rows = []
    with workplace(params, borrowed) as folder:
        for model in params["models"]:
            seconds = stage(folder, "features", model).seconds
            for phase in ("transfer", "finetune"):
                done = stage(folder, phase, model)
                seconds += done.seconds
                facts = (model, phase, machine(), f"{seconds:.0f}", len(done.epochs))
                rows.append(dict(zip(COLUMNS, facts, strict=True)))
                print(*facts, flush=True)
    write_table(ROOT / "reports/training_time.csv", COLUMNS, rows)


if __name__ == "__main__":
    main()
