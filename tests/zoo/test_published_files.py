"""The formats that publishers use: what they hold is read, what harms is refused."""

import io
import os
import pickle
import resource
import warnings
import zipfile

import h5py
import numpy as np
import pytest
import safetensors.numpy

from stages.errors import StudyError
from stages.networks import weight_files
from stages.zoo import convnext_tiny, mobilevit_s, vit_b32
from stages.zoo.parts import flax_vit
from stages.zoo.parts.keras_file import read_keras_file
from stages.zoo.parts.npz_file import read_npz
from tests.zoo.reference import made_up

RNG = np.random.default_rng(0)
TENSOR = RNG.standard_normal((3, 4), np.float32)


# ---- .npz ---------------------------------------------------------------------------------------


def npy(tensor, **options):
    file = io.BytesIO()
    np.lib.format.write_array(file, tensor, **options)
    return file.getvalue()


def archive(path, packed=zipfile.ZIP_STORED, **members):
    with zipfile.ZipFile(path, "w", packed) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return path


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_tensors_of_an_npz_file_are_those_that_numpy_wrote(tmp_path, save):
    tensors = {"a/b": TENSOR, "turned": np.asfortranarray(TENSOR), "one": np.float32([3])}
    save(tmp_path / "w.npz", **tensors)
    found = read_npz(tmp_path / "w.npz")
    assert found.keys() == tensors.keys()
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(found[name], tensor)


class Command:
    def __init__(self, *call):
        self.call = call

    def __reduce__(self):
        return os.system, self.call


def test_an_npz_file_with_a_pickle_is_refused_and_does_not_run(tmp_path):
    content = npy(np.array([Command(f"touch {tmp_path / 'done'}")], object), allow_pickle=True)
    with pytest.raises(StudyError, match=r"a.npy holds pickled objects, not float32"):
        read_npz(archive(tmp_path / "w.npz", **{"a.npy": content}))
    assert not (tmp_path / "done").exists()


def test_a_bomb_is_refused_before_it_goes_off(tmp_path):
    bomb = npy(np.zeros(10**8, np.float32))  # 400 MB in 400 kB
    file = archive(tmp_path / "w.npz", zipfile.ZIP_DEFLATED, **{"a.npy": bomb})
    del bomb
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(StudyError, match="unpack to 400,000,128, which no weights do"):
        read_npz(file)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # kB


def test_a_shape_that_is_not_there_is_refused(tmp_path):
    content = npy(TENSOR).replace(b"(3, 4), }", b"(3, 4000000000), }")
    with pytest.raises(StudyError, match="another size"):
        read_npz(archive(tmp_path / "w.npz", **{"a.npy": content}))


@pytest.mark.parametrize("kind", [np.float64, np.int32, "<U3", [("a", "<f4")]])
def test_numbers_of_another_kind_are_refused(tmp_path, kind):
    with pytest.raises(StudyError, match="not float32"):
        read_npz(archive(tmp_path / "w.npz", **{"a.npy": npy(np.zeros(3, kind))}))


@pytest.mark.parametrize("content", [b"", b"<html>blocked</html>", pickle.dumps({"a": 1})])
def test_what_is_no_npz_file_is_refused(tmp_path, content):
    (tmp_path / "w.npz").write_bytes(content)
    with pytest.raises(StudyError, match=r"damaged or no \.npz file"):
        read_npz(tmp_path / "w.npz")


@pytest.mark.parametrize(
    "content", [b"", b"weights", b"\x93NUMPY\x09\x00", b"\x93NUMPY\x01\x00\xff"]
)
def test_a_member_that_is_no_tensor_is_refused(tmp_path, content):
    with pytest.raises(StudyError):
        read_npz(archive(tmp_path / "w.npz", **{"a.npy": content}))


def test_an_npz_file_cut_off_anywhere_is_refused(tmp_path):
    np.savez(tmp_path / "w.npz", a=TENSOR, b=TENSOR)
    whole = (tmp_path / "w.npz").read_bytes()
    for kept in range(len(whole)):
        (tmp_path / "w.npz").write_bytes(whole[:kept])
        with pytest.raises(StudyError):
            read_npz(tmp_path / "w.npz")


def test_a_changed_byte_of_a_tensor_is_noticed(tmp_path):
    np.savez(tmp_path / "w.npz", a=TENSOR)
    content = (tmp_path / "w.npz").read_bytes().replace(TENSOR.tobytes()[:4], b"\0\0\0\0")
    (tmp_path / "w.npz").write_bytes(content)
    with pytest.raises(StudyError, match="CRC"):
        read_npz(tmp_path / "w.npz")


def test_two_tensors_of_one_name_are_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "w.npz", "w") as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(2):
            file.writestr("a.npy", npy(TENSOR))
    with pytest.raises(StudyError, match="two tensors of one name"):
        read_npz(tmp_path / "w.npz")


# ---- .h5 ----------------------------------------------------------------------------------------


@pytest.fixture
def keras_file(tmp_path):
    """A file of one layer with one tensor, open for changes; call it to close and read it."""
    file = h5py.File(tmp_path / "w.h5", "w")
    file.attrs["layer_names"] = np.array([b"input", b"dense"])
    file.create_group("input").attrs["weight_names"] = np.array([])
    layer = file.create_group("dense")
    layer.attrs["weight_names"] = np.array([b"dense/kernel:0"])
    layer.create_dataset("dense/kernel:0", data=TENSOR)

    def read():
        file.close()
        return read_keras_file(tmp_path / "w.h5")

    read.layer = layer
    read.file = file
    return read


def test_layers_with_tensors_are_read_in_their_order(keras_file):
    ((name, tensors),) = keras_file()
    assert name == "dense"
    np.testing.assert_array_equal(tensors, [TENSOR])


def replace(keras_file, **options):
    del keras_file.layer["dense/kernel:0"]
    return keras_file.layer.create_dataset("dense/kernel:0", **options)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"shape": (2**40,), "dtype": "f4"}, "declared larger than the file"),
        ({"shape": (100,), "dtype": "f4"}, "was never written"),
        ({"data": TENSOR, "compression": "gzip"}, "compressed, virtual"),
        ({"data": TENSOR, "chunks": (1, 1)}, "compressed, virtual"),
        ({"data": TENSOR.astype("f8")}, "no tensor of float32"),
        ({"data": ["text"]}, "no tensor of float32"),
    ],
)
def test_a_tensor_that_is_not_plainly_there_is_refused(keras_file, options, reason):
    replace(keras_file, **options)
    with pytest.raises(StudyError, match=f"refused: dense/kernel:0 .*{reason}"):
        keras_file()


def test_a_tensor_of_another_file_is_refused(keras_file, tmp_path):
    (tmp_path / "secret").write_bytes(TENSOR.tobytes())
    replace(keras_file, shape=(3, 4), dtype="f4", external=[(str(tmp_path / "secret"), 0, 48)])
    with pytest.raises(StudyError, match="kept in another file"):
        keras_file()


@pytest.mark.parametrize(
    "link", [h5py.ExternalLink("other.h5", "/secret"), h5py.SoftLink("/dense/again")]
)
def test_a_link_is_refused(keras_file, tmp_path, link):
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["secret"] = TENSOR
    keras_file.layer["again"] = TENSOR
    del keras_file.layer["dense/kernel:0"]
    keras_file.layer["dense/kernel:0"] = link
    with pytest.raises(StudyError, match="dense/kernel:0 is a link"):
        keras_file()


def test_a_virtual_tensor_is_refused(keras_file, tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["secret"] = TENSOR
    layout = h5py.VirtualLayout(shape=(3, 4), dtype="f4")
    layout[:] = h5py.VirtualSource(tmp_path / "other.h5", "secret", shape=(3, 4))
    del keras_file.layer["dense/kernel:0"]
    keras_file.layer.create_virtual_dataset("dense/kernel:0", layout)
    with pytest.raises(StudyError, match="compressed, virtual"):
        keras_file()


def test_one_tensor_under_many_names_does_not_multiply(keras_file):
    names = [f"copy{number}" for number in range(1000)]
    for name in names:
        keras_file.layer[name] = keras_file.layer["dense/kernel:0"]
    big = keras_file.layer.create_dataset("big", data=np.zeros(10**6, np.float32))
    for name in names:
        del keras_file.layer[name]
        keras_file.layer[name] = big
    keras_file.layer.attrs["weight_names"] = np.array([name.encode() for name in names])
    with pytest.raises(StudyError, match="declared larger than the file"):
        keras_file()


@pytest.mark.parametrize("names", [np.arange(3), np.array([[b"dense"]]), np.array([b"absent"])])
def test_a_list_of_layers_that_is_none_is_refused(keras_file, names):
    keras_file.file.attrs["layer_names"] = names
    with pytest.raises(StudyError):
        keras_file()


@pytest.mark.parametrize(
    "content", [b"", b"<html>blocked</html>", b"\x89HDF\r\n\x1a\n" + b"\0" * 99]
)
def test_what_is_no_h5_file_is_refused(tmp_path, content):
    (tmp_path / "w.h5").write_bytes(content)
    with pytest.raises(StudyError, match="not a weight file of Keras"):
        read_keras_file(tmp_path / "w.h5")


def test_a_file_of_another_network_is_refused(keras_file, tmp_path):
    keras_file()
    with pytest.raises(StudyError, match=r"has 1 layers with weights, convnext_tiny has \d+"):
        convnext_tiny.convert(tmp_path / "w.h5", 32)


# ---- conversions --------------------------------------------------------------------------------


def test_a_safetensors_file_that_is_none_is_refused(tmp_path):
    (tmp_path / "w.safetensors").write_bytes(b"<html>")
    with pytest.raises(StudyError, match="no safetensors file"):
        mobilevit_s.convert(tmp_path / "w.safetensors", 64)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"stages.9.0.conv.weight": TENSOR}, r"has stages_9_0_conv/kernel, unknown to mobilevit_s"),
        ({"stem.conv.weight": None}, "lacks stem_conv/kernel"),
        ({"final_conv.bn.weight": TENSOR[0]}, r"final_conv_bn/gamma is float32 \(4,\)"),
    ],
)
def test_every_tensor_of_mobilevit_has_its_place(tmp_path, change, reason):
    tensors = made_up.tensors("mobilevit_s") | change
    kept = {name: tensor for name, tensor in tensors.items() if tensor is not None}
    safetensors.numpy.save_file(kept, tmp_path / "w.safetensors")
    values = mobilevit_s.convert(tmp_path / "w.safetensors", 64)
    with pytest.raises(StudyError, match=reason):
        weight_files.set_weights(mobilevit_s.backbone(64), values, "the file")


@pytest.mark.parametrize("positions", [None, (1, 12, 4), (17, 4)])
def test_a_transformer_without_a_grid_of_positions_is_refused(tmp_path, positions):
    name = "Transformer/posembed_input/pos_embedding"
    tensors = {name: RNG.standard_normal(positions, np.float32)} if positions else {"a": TENSOR}
    np.savez(tmp_path / "w.npz", **tensors)
    with pytest.raises(StudyError, match=r"no Transformer/posembed_input|no square grid"):
        vit_b32.convert(tmp_path / "w.npz", 64)


def test_positions_of_the_published_grid_stay_as_they_are():
    positions = RNG.standard_normal((1, 50, 4), np.float32)
    np.testing.assert_array_equal(flax_vit._resized(positions, 7), positions)
