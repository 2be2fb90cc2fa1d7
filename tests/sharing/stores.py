"""What docs/share.md has a team share through, on this machine: a folder and three servers."""

from __future__ import annotations

import getpass
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import psutil
import pytest

SERVER = Path(__file__).with_name("http_server.py")
SSHD = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")
SSHD_CONFIG = """
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host
AuthorizedKeysFile {folder}/key.pub
StrictModes no
PasswordAuthentication no
PidFile none
Subsystem sftp internal-sftp {options}
"""


class Store:
    """A place to push to. `examples`: what stands for it in docs/share.md, and what it is here."""

    kind: str
    needs: tuple[str, ...] = ()  # modules, beside DVC's own

    def __init__(self, folder: Path) -> None:
        self.folder = folder / self.kind
        self.folder.mkdir()
        self.process: subprocess.Popen | None = None

    @classmethod
    def missing(cls) -> str:
        """Why it cannot be here; empty where it can."""
        absent = [name for name in cls.needs if find_spec(name) is None]
        return f".ci/run installs {', '.join(absent)}" if absent else ""

    @property
    def examples(self) -> dict[str, str]:
        raise NotImplementedError

    def config(self, place: str = "store") -> str:
        """A DVC configuration that has it as default, with a folder of its own for `place`."""
        raise NotImplementedError

    def start(self) -> None:
        """Start its server, at the address where it was before."""

    def runs(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def restart(self, *options: str) -> None:
        """Without what was to fail."""
        self.kill()
        self.start(*options)

    def kill(self) -> None:
        """End it without a word, with the processes it has started."""
        if self.process:
            with suppress(psutil.NoSuchProcess):  # it died by itself
                for child in psutil.Process(self.process.pid).children(recursive=True):
                    child.kill()
            self.process.kill()
            self.process.wait()
            self.process = None

    def damage(self, object_: str, place: str = "store") -> None:
        """Cut off the end of a file, named as `files/md5/ab/cdef…`; its mode stays."""
        file = self.folder / place / object_
        mode = file.stat().st_mode
        file.chmod(0o644)
        os.truncate(file, file.stat().st_size // 2)
        file.chmod(mode)

    def _serve(self, *command: str) -> None:
        self.kill()
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        for _ in range(600):
            if self.process.poll() is not None:
                break
            with socket.socket() as connection:
                if connection.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.1)
        pytest.fail(f"{self.kind} server: {(self.folder / 'log').read_text()[-2000:]}")


class Folder(Store):
    kind = "folder"

    @property
    def examples(self) -> dict[str, str]:
        return {"/srv/team/vitoon": str(self.folder / "store")}

    def config(self, place: str = "store") -> str:
        return remote(url=self.folder / place)


class Ssh(Store):
    kind = "ssh"
    needs = ("dvc_ssh",)

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.port = free_port()
        for name in ("host", "key"):
            command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.folder / name]
            subprocess.run(command, check=True)

    @classmethod
    def missing(cls) -> str:
        return super().missing() or ("" if SSHD else "there is no sshd")

    @property
    def address(self) -> str:
        return f"ssh://127.0.0.1:{self.port}{self.folder}"

    @property
    def examples(self) -> dict[str, str]:
        return {
            "ssh://store.example.org/srv/vitoon": f"{self.address}/store",
            "ann": getpass.getuser(),
            "~/.ssh/id_ed25519": str(self.folder / "key"),
        }

    def config(self, place: str = "store") -> str:
        user, key = getpass.getuser(), self.folder / "key"
        return remote(url=f"{self.address}/{place}", user=user, keyfile=key)

    def start(self, options: str = "") -> None:
        """With `-R` nothing may be written."""
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)  # where it shuts in who is not logged in yet
        config = self.folder / "config"
        config.write_text(SSHD_CONFIG.format(port=self.port, folder=self.folder, options=options))
        self._serve(SSHD, "-D", "-e", "-f", str(config))


class Http(Store):
    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.port = free_port()
        self.fault = self.folder / "fault"

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        self.fault.unlink(missing_ok=True)
        words = (SERVER, self.kind, self.port, self.folder, self.fault)
        self._serve(sys.executable, *map(str, words))

    def fail(self, *methods: str, status: int | None = None, half: bool = False) -> None:
        """Let six requests pass, then answer with a status, or die: `http_server.Faulty`."""
        fault = {"methods": methods, "spared": 6, "status": status, "half": half}
        self.fault.write_text(json.dumps(fault))


class WebDav(Http):
    kind = "webdav"
    needs = ("dvc_webdav", "wsgidav", "cheroot")

    @property
    def examples(self) -> dict[str, str]:
        return {"webdavs://store.example.org/vitoon": f"webdav://{self.address}/store"}

    def config(self, place: str = "store") -> str:
        (self.folder / place).mkdir(exist_ok=True)
        return remote(url=f"webdav://{self.address}/{place}", user="ann", password="secret")

    def start(self) -> None:
        super().start()
        (self.folder / "store").mkdir(exist_ok=True)


class S3(Http):
    kind = "s3"
    needs = ("dvc_s3", "moto", "flask_cors", "cheroot")

    @property
    def examples(self) -> dict[str, str]:
        return {"https://s3.example.org": f"http://{self.address}"}

    def config(self, place: str = "store") -> str:
        keys = {"access_key_id": "ann", "secret_access_key": "secret"}
        return remote(url=f"s3://bucket/{place}", endpointurl=f"http://{self.address}", **keys)

    def start(self) -> None:
        super().start()
        self.client().create_bucket(Bucket="bucket")  # the memory of the last one is gone

    def damage(self, object_: str, place: str = "store") -> None:
        one = {"Bucket": "bucket", "Key": f"{place}/{object_}"}
        whole = self.client().get_object(**one)["Body"].read()
        self.client().put_object(**one, Body=whole[: len(whole) // 2])

    def client(self):
        import boto3

        keys = {"aws_access_key_id": "ann", "aws_secret_access_key": "secret"}
        place = {"endpoint_url": f"http://{self.address}", "region_name": "us-east-1"}
        return boto3.client("s3", **place, **keys)


KINDS = {one.kind: one for one in (Folder, Ssh, WebDav, S3)}


def remote(**settings: object) -> str:
    lines = (f"    {name} = {value}" for name, value in settings.items())
    return "\n".join(["[core]", "    remote = store", "['remote \"store\"']", *lines, ""])


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]
