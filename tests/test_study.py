"""The command of docs/study.md, with made-up weights from a mirror and few pictures. Slow."""

import json
import re
import shlex
import shutil

import numpy as np
import pytest

from stages import zoo
from tests.tiny_study import ROOT, change, copy_working_tree, draw_pictures, run, tiny
from tests.zoo.reference import made_up
from tests.zoo.test_parity import application, write_as_keras_applications


@pytest.fixture
def mirror(tmp_path):
    """A folder with the files of the study's pair."""
    folder = tmp_path / "mirror"
    folder.mkdir()
    files = {name: folder / zoo.lookup(name).ENTRY.weights.file for name in PAIR}
    write_as_keras_applications(application("mobilenet_v2", 224)[0], files["mobilenet_v2"])
    made_up.write(files["vit_b32"], made_up.tensors("vit_b32"))
    yield folder
    shutil.rmtree(folder)


PAIR = ("mobilenet_v2", "vit_b32")


def command():
    """The words of the command, for two epochs."""
    text = (ROOT / "docs/study.md").read_text()
    (found,) = re.findall(r"```sh\n(dvc exp run .*?)```", text, re.S)
    return shlex.split(found.replace("\\\n", " ").replace("epochs=50", "epochs=2"))


@pytest.mark.slow
def test_the_study_runs_from_a_mirror_by_its_one_command(tmp_path, mirror):
    clone = tmp_path / "vitoon"
    run(tmp_path, "git", "clone", "--quiet", str(ROOT), str(clone))
    copy_working_tree(clone)
    draw_pictures(tmp_path / "pictures")
    change(clone, tiny)
    (clone / "dvc.lock").unlink(missing_ok=True)
    run(clone, "git", "add", "--all")
    who = ("-c", "user.name=Nobody", "-c", "user.email=nobody@example.com")
    run(clone, "git", *who, "commit", "--quiet", "--no-verify", "--message", "Few pictures")

    run(clone, *command(), "-S", f"weights.mirror={mirror}", "-S", "augment.views=1")

    assert sorted(json.loads((clone / "weights.lock").read_text())) == sorted(
        zoo.lookup(name).ENTRY.weights.file for name in PAIR
    )
    for name in PAIR:
        card = json.loads((clone / f"models/{name}/finetune/card.json").read_text())
        assert card["image_size"] == 224
        assert card["training"]["learning_rate"] == 1e-5
        assert card["trained_parameters"] > 0.9 * zoo.lookup(name).ENTRY.parameters
        before, after = (
            (clone / f"models/{name}/{phase}/backbone.safetensors").read_bytes()
            for phase in ("transfer", "finetune")
        )
        assert len(before) == len(after)
        assert before != after
    assert np.all([(clone / "reports/report.html").exists()])
