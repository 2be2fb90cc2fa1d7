"""stages/networks/onednn.py: in processes of their own, as TensorFlow decides once."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from stages.networks.onednn import SETTING

PROJECT = Path(__file__).parents[2]
WORK = f"""
import os, sys
sys.argv[1:] = sys.stdin.read().split()
import stages
print(os.environ.get("{SETTING}"), "tensorflow" in sys.modules, "keras" in sys.modules)
"""


def setting(words: str, **variables: str) -> str:
    env = {name: value for name, value in os.environ.items() if name != SETTING}
    env |= {"PYTHONPATH": str(PROJECT)} | variables
    command = [sys.executable, "-c", WORK]
    done = subprocess.run(command, env=env, input=words, capture_output=True, text=True, check=True)
    value, *imported = done.stdout.split()
    assert imported == ["False", "False"]  # neither is imported to find out
    return value


@pytest.mark.parametrize(
    ("words", "value"),
    [
        ("tiny_cnn", "1"),
        ("efficientnet_lite0 finetune", "1"),
        ("dinov2_s14", "None"),
        ("vit_r26_s32", "None"),  # a hybrid
        ("", "None"),
        ("--help", "None"),
        ("../zoo/tiny_cnn", "None"),
        ("weight", "None"),
        ("no_network", "None"),
    ],
)
def test_a_convolutional_network_has_it(words, value):
    assert setting(words) == value


@pytest.mark.parametrize("own", ["0", "1"])
def test_what_the_user_has_set_stays(own):
    assert setting("tiny_cnn", **{SETTING: own}) == own
    assert setting("tiny_vit", **{SETTING: own}) == own


def test_tensorflow_does_as_it_says():
    code = """
import sys
sys.argv[1:] = ["tiny_cnn"]
import stages
from tensorflow.python.util import _pywrap_util_port
print(_pywrap_util_port.IsMklEnabled())
"""
    env = os.environ | {"PYTHONPATH": str(PROJECT), "ONEDNN_MAX_CPU_ISA": "AVX2"}
    env.pop(SETTING, None)
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"
