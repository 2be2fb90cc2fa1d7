"""From a fresh clone to a running command: environment.sh, the lock, the Makefile."""

import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import requires
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
PIN = re.compile(r"^([a-z0-9.-]+)==\S+(?: ;[^\\]*)?(?: *\\\n +--hash=sha256:[0-9a-f]{64})+$", re.M)
TARGETS = [
    *("help", "repro", "parallel", "status", "demo", "try", "test", "slow", "mutants", "lint"),
    *("lock", "parity"),
]

# Stands in for a Python of some version: it answers environment.sh's questions as one would, and
# notes what it is asked to do. In place of a download, uv "brings" what lies in `brought`.
FAKE = """#!/bin/sh
case "$1 $2" in
--version*) echo "Python {version}" ;;
"-c import"*)
    pretence="import sys; sys.version_info = {version!r}; sys.modules.update({missing})"
    exec {real} -c "$pretence; $2" ;;
-c*) ;;
*) echo "{version} ${{0#$PWD/}} $*" >>"$HOME/done" ;;
esac
case "$*" in
"-m venv"*) mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
*install*" -r requirements.txt") [ ! -e "$HOME/offline" ] ;;
*install*" -r requirements-gpu.txt") [ ! -e "$HOME/disk-full" ] ;;
"-m uv python install"*)
    [ -e "$HOME/brought" ] && mkdir -p "$7/cpython/bin" &&
        cp "$HOME/brought" "$7/cpython/bin/python3.11" ;;
esac
"""


class Machine:
    """A home, a clone and a PATH with nothing on it but what environment.sh's commands need."""

    def __init__(self, folder: Path) -> None:
        self.home, self.clone, self.bin = folder / "home", folder / "a clone", folder / "bin"
        for place in (self.home, self.clone, self.bin):
            place.mkdir()
        for tool in ("sh", "cmp", "cp", "dirname", "grep", "mkdir", "rm", "sed"):
            (self.bin / tool).symlink_to(shutil.which(tool))
        for file in ("environment.sh", *ROOT.glob("requirements*.txt")):
            shutil.copy(ROOT / file, self.clone)

    def has(self, command: str, *version: int, without: str = "", at: Path | None = None) -> None:
        missing = f"{{'{without}': None}}" if without else "{}"
        file = (at or self.bin) / command
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(FAKE.format(version=version, missing=missing, real=sys.executable))
        file.chmod(0o755)

    def set_up(self, gpu: str = "0") -> subprocess.CompletedProcess:
        """With GPU=0, so that it is the same on a machine with one; `gpu` is another value."""
        (self.home / "done").unlink(missing_ok=True)
        env = {"PATH": str(self.bin), "HOME": str(self.home), "GPU": gpu}
        script = self.clone / "environment.sh"
        return subprocess.run(["sh", script], env=env, capture_output=True, text=True, check=False)

    def done(self) -> str:
        file = self.home / "done"
        return file.read_text() if file.exists() else ""


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


def test_python_3_11_is_taken_before_3_10(machine):
    machine.has("python3.10", 3, 10, 13)
    machine.has("python3.11", 3, 11, 7)
    assert machine.set_up().returncode == 0
    assert machine.done().splitlines() == [
        f"(3, 11, 7) {machine.bin}/python3.11 -m venv .venv",
        "(3, 11, 7) .venv/bin/python -m pip install --quiet --require-hashes -r requirements.txt",
    ]


@pytest.mark.parametrize("command", ["python3.11", "python3", "python"])
def test_a_python_3_10_or_3_11_is_found_under_any_of_its_names(machine, command):
    machine.has(command, 3, 10, 0)
    assert machine.set_up().returncode == 0


def test_a_shim_of_an_inactive_version_is_passed_over(machine):
    shim = machine.bin / "python3.11"
    shim.write_text("#!/bin/sh\necho 'pyenv: python3.11: command not found' >&2\nexit 127\n")
    shim.chmod(0o755)
    machine.has("python3.10", 3, 10, 13)
    result = machine.set_up()
    assert result.returncode == 0
    assert "python3.10 -m venv" in machine.done()
    assert "pyenv" not in result.stderr


def test_a_version_that_pyenv_holds_without_a_shim_is_found(machine):
    machine.has("python3", 3, 13, 0)
    machine.has("python", 3, 11, 7, at=machine.home / ".pyenv/versions/3.11.7/bin")
    assert machine.set_up().returncode == 0
    assert "versions/3.11.7/bin/python -m venv .venv" in machine.done()


def test_a_python_without_venv_is_passed_over(machine):
    machine.has("python3.11", 3, 11, 2, without="ensurepip")
    machine.has("python3.10", 3, 10, 13)
    assert machine.set_up().returncode == 0
    assert "python3.10 -m venv" in machine.done()


@pytest.mark.parametrize("version", [(3, 8, 0), (3, 9, 18), (3, 12, 1), (3, 13, 0)])
def test_from_another_python_uv_brings_3_11(machine, version):
    machine.has("python3", *version)
    machine.has("brought", 3, 11, 18, at=machine.home)
    assert machine.set_up().returncode == 0
    *_, made, installed = machine.done().splitlines()
    assert made == "(3, 11, 18) .python/versions/cpython/bin/python3.11 -m venv .venv"
    assert installed.startswith("(3, 11, 18) .venv/bin/python -m pip install")


def test_uv_itself_is_installed_as_the_lock_pins_it(machine):
    machine.has("python3", 3, 12, 1)
    machine.set_up()
    assert "-m pip install --require-hashes -r .python/uv.txt" in machine.done()
    first, *hashes, origin = (machine.clone / ".python/uv.txt").read_text().splitlines()
    assert re.fullmatch(r"uv==[\d.]+ \\", first)  # for any Python: without the lock's condition
    assert all(line.startswith("    --hash=sha256:") for line in hashes)
    assert not hashes[-1].endswith("\\")
    assert origin.strip().startswith("# via")


def test_where_uv_brings_nothing_the_last_line_says_what_to_install(machine):
    machine.has("python3", 3, 12, 1)
    result = machine.set_up()
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1] == (
        "environment: no Python 3.11 or 3.10 here, and uv could not bring one "
        "(.python/log says why): install Python 3.11 with its venv module and run this again"
    )


@pytest.mark.parametrize("python", [None, (3, 7, 16), (2, 7, 18)])
def test_without_a_usable_python_one_line_says_what_to_install(machine, python):
    if python:
        machine.has("python3", *python)
    result = machine.set_up()
    assert result.returncode == 1
    assert result.stderr == (
        "environment: no usable Python here: install Python 3.11 with its venv module "
        "(Debian, Ubuntu: apt install python3 python3-venv) and run this again\n"
    )


def test_debian_without_python3_venv_gets_the_same_line(machine):
    machine.has("python3", 3, 11, 2, without="ensurepip")
    assert "apt install python3 python3-venv" in machine.set_up().stderr


def test_a_second_time_nothing_is_said_or_done(machine):
    machine.has("python3", 3, 11, 7)
    machine.set_up()
    result = machine.set_up()
    assert (result.returncode, result.stderr, machine.done()) == (0, "", "")


REMOTES = "-m pip install --quiet --require-hashes -r requirements-remotes.txt"


@pytest.mark.parametrize("file", ["config", "config.local"])
@pytest.mark.parametrize("scheme", ["s3", "ssh", "webdav", "webdavs"])
def test_what_a_remote_needs_is_installed_once_when_one_is_named(machine, scheme, file):
    machine.has("python3.11", 3, 11, 7)
    machine.set_up()
    assert REMOTES not in machine.done()
    (machine.clone / ".dvc").mkdir()
    url = f"{scheme}://store.example.org/vitoon"
    (machine.clone / ".dvc" / file).write_text(f"['remote \"store\"']\n    url = {url}\n")
    result = machine.set_up()
    assert machine.done() == f"(3, 11, 7) .venv/bin/python {REMOTES}\n"
    assert result.stderr == (
        "environment: installing requirements-remotes.txt, for your DVC remote or bucket\n"
    )
    assert (machine.set_up().stderr, machine.done()) == ("", "")


def test_what_a_bucket_needs_is_installed_when_the_pictures_are_in_one(machine):
    machine.has("python3.11", 3, 11, 7)
    params = machine.clone / "params.yaml"
    params.write_text("scrape:\n  folder: album # or s3://bucket/prefix\n")
    machine.set_up()
    assert REMOTES not in machine.done()
    params.write_text("scrape:\n  folder: s3://bucket/prefix\n")
    machine.set_up()
    assert REMOTES in machine.done()


def test_a_folder_as_remote_needs_nothing(machine):
    machine.has("python3.11", 3, 11, 7)
    machine.set_up()
    (machine.clone / ".dvc").mkdir()
    (machine.clone / ".dvc/config").write_text("['remote \"store\"']\n    url = /srv/s3\n")
    machine.set_up()
    assert machine.done() == ""


CUDA = "(3, 11, 7) .venv/bin/python -m pip install --quiet --require-hashes -r requirements-gpu.txt"


@pytest.fixture
def with_gpu(machine):
    """Its driver's command is there, as on WSL; no GPU is at hand."""
    machine.has("python3.11", 3, 11, 7)
    machine.has("nvidia-smi")
    return machine


def test_where_the_machine_has_an_nvidia_gpu_cuda_is_installed_once(with_gpu):
    result = with_gpu.set_up(gpu="")
    assert with_gpu.done().splitlines()[-1] == CUDA
    assert result.stderr.splitlines()[-1] == (
        "environment: installing requirements-gpu.txt, CUDA for your NVIDIA GPU, some gigabytes"
    )
    result = with_gpu.set_up(gpu="")
    assert (result.stderr, with_gpu.done()) == ("", "")


@pytest.mark.skipif(any(Path("/dev").glob("nvidia[0-9]*")), reason="this machine has a GPU")
def test_where_it_has_none_cuda_is_not_installed(machine):
    machine.has("python3.11", 3, 11, 7)
    assert machine.set_up(gpu="").returncode == 0
    assert CUDA not in machine.done()


def test_who_says_whether_there_is_a_gpu_overrules_the_machine(machine, with_gpu):
    assert with_gpu.set_up(gpu="0").returncode == 0
    assert CUDA not in with_gpu.done()
    (machine.bin / "nvidia-smi").unlink()
    assert machine.set_up(gpu="1").returncode == 0
    assert machine.done() == f"{CUDA}\n"


def test_another_value_of_gpu_is_refused(with_gpu):
    result = with_gpu.set_up(gpu="yes")
    assert result.returncode == 1
    last = result.stderr.splitlines()[-1]
    assert last == "environment: GPU is yes; allowed: 1 or 0, whatever the machine has"


def test_where_cuda_does_not_install_the_last_line_says_how_to_go_without(with_gpu):
    (with_gpu.home / "disk-full").touch()
    result = with_gpu.set_up(gpu="")
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1] == (
        "environment: CUDA could not be installed, for the reason above; "
        "`GPU=0 make repro` goes without"
    )
    assert with_gpu.set_up(gpu="0").returncode == 0
    (with_gpu.home / "disk-full").unlink()
    assert with_gpu.set_up(gpu="").returncode == 0
    assert with_gpu.done() == f"{CUDA}\n"


def test_an_install_that_was_cut_short_is_done_again(machine):
    machine.has("python3", 3, 11, 7)
    (machine.home / "offline").touch()
    assert machine.set_up().returncode == 1
    half = machine.clone / ".venv/half-written"
    half.touch()
    (machine.home / "offline").unlink()
    assert machine.set_up().returncode == 0
    assert "-m pip install" in machine.done()
    assert not half.exists()


def test_a_changed_lock_is_installed(machine):
    machine.has("python3", 3, 11, 7)
    machine.set_up()
    with (machine.clone / "requirements.txt").open("a") as lock:
        lock.write("# changed\n")
    machine.set_up()
    assert "-m pip install" in machine.done()


def test_an_environment_whose_python_is_gone_is_made_again(machine):
    machine.has("python3", 3, 11, 7)
    machine.set_up()
    (machine.clone / ".venv/bin/python").unlink()
    machine.set_up()
    assert "-m venv .venv" in machine.done()


FOR_CI = [
    *(ROOT / f"requirements-{name}.txt" for name in ("ray", "remotes")),
    ROOT / "tests/sharing/requirements.txt",
]
LOCKS = [ROOT / "requirements.txt", ROOT / "requirements-gpu.txt", *FOR_CI]
OF_IMAGE = ROOT / "requirements-serve.txt"  # which is no part of the environment
EVERY_LOCK = [*LOCKS, OF_IMAGE]
SMALL = {ROOT / "requirements-ray.txt": (2, 1)}  # pins and packages asked for; Ray brings little


@pytest.mark.parametrize("lock", EVERY_LOCK, ids=str)
def test_every_line_of_a_lock_is_a_pin_with_hashes(lock):
    comments = re.compile(r"^ *#.*\n", re.M)
    assert PIN.sub("", comments.sub("", lock.read_text())).strip() == ""
    count = len(PIN.findall(lock.read_text()))
    assert count == SMALL[lock][0] if lock in SMALL else count > 10


@pytest.mark.parametrize("lock", EVERY_LOCK, ids=str)
def test_a_lock_names_no_index_and_no_place(lock):
    assert not re.search(r"index-url|find-links|://|file:| @ ", lock.read_text())


@pytest.mark.parametrize("lock", [LOCKS[0], *FOR_CI, OF_IMAGE], ids=str)
def test_a_lock_pins_everything_that_is_asked_for(lock):
    asked = re.findall(r"^[a-z0-9-]+", lock.with_suffix(".in").read_text(), re.M)
    assert len(asked) == SMALL[lock][1] if lock in SMALL else len(asked) > 2
    assert set(asked) <= set(PIN.findall(lock.read_text()))


def test_with_a_gpu_all_is_pinned_that_this_tensorflow_asks_for_there():
    """On Linux alone: there is no CUDA for others."""
    extra = re.compile(r"^(nvidia[a-z0-9-]+).*; extra == [\"']and-cuda[\"']$")
    asked = {found[1] for line in requires("tensorflow") if (found := extra.match(line))}
    lock = (ROOT / "requirements-gpu.txt").read_text()
    assert asked == set(PIN.findall(lock))
    assert (
        len(re.findall(r"^nvidia.* and sys_platform == 'linux' \\$", lock, re.M)) == len(asked) > 2
    )


def test_a_lock_pins_nothing_that_another_pins():
    """They are installed into one environment."""
    pinned = [set(PIN.findall(lock.read_text())) for lock in LOCKS]
    assert len(set.union(*pinned)) == sum(map(len, pinned))


def test_help_comes_first_and_lists_every_target():
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M)
    listed = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert re.findall(r"^make ([a-z]+) +\S", listed, re.M) == TARGETS
    assert targets == [*TARGETS, "environment"]


def test_continuous_integration_runs_make_test():
    script = ROOT / ".ci/run"
    assert os.access(script, os.X_OK)
    assert script.read_text().splitlines()[-1] == "exec make test"
    assert all(str(lock.relative_to(ROOT)) in script.read_text() for lock in FOR_CI)


def test_pre_commit_needs_no_other_repository():
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    assert {group["repo"] for group in hooks["repos"]} == {"local"}


def test_make_status_in_a_fresh_clone_says_what_to_do(tmp_path):
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
    for file in ("Makefile", "dvc.yaml"):
        shutil.copy(ROOT / file, clone)  # what is not committed yet is tested too
    shutil.copytree(ROOT / "stages", clone / "stages", dirs_exist_ok=True)
    env = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    # Without making an environment, which takes minutes: the clone has this one's.
    command = ["make", "--no-print-directory", "--assume-old=environment", "status"]
    done = subprocess.run(command, cwd=clone, env=env, capture_output=True, text=True, check=True)
    assert "data/raw" in done.stdout  # what DVC misses
    assert done.stdout.splitlines()[-1] == (
        "Nothing has been made here yet: `make repro` makes it all, "
        "`dvc pull` brings what somebody has pushed (`dvc remote list`)"
    )
