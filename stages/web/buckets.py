"""Objects of a bucket of S3's kind: listed in pages, fetched within limits.

Where it is and who asks are the environment's to say, as for DVC and every client of S3:
AWS_ENDPOINT_URL, AWS_PROFILE, AWS_ACCESS_KEY_ID and so on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import IO, Any, TypeVar

from stages.errors import StudyError
from stages.params import Download
from stages.web import backoff
from stages.web.refusals import Passing, Refusal

Result = TypeVar("Result")

SCHEME = "s3://"
PIECE = 1 << 16  # bytes
INSTALL = "python -m pip install --require-hashes -r requirements-remotes.txt"
# What S3 says of one object, with our reason; whatever else it says is said of all.
OF_ONE = {"NoSuchKey": "http_404", "AccessDenied": "http_403", "InvalidObjectState": "archived"}


@dataclass(frozen=True, slots=True)
class Object:
    """`key` is seen from the bucket's prefix; one that ends with / stands for all below it."""

    key: str
    size: int = 0
    etag: str = ""


class Bucket:
    """What lies below s3://bucket/prefix; threads may share it.

    Raises StudyError where the client is not installed, and where the bucket does not answer: what
    has come so far would be taken for all there is.
    """

    def __init__(self, address: str, limits: Download) -> None:
        self._address, self._limits = address, limits
        self._name, _, prefix = address.removeprefix(SCHEME).partition("/")
        self._prefix = f"{prefix.strip('/')}/".lstrip("/")
        self._client = self._connected()

    def close(self) -> None:
        self._client.close()

    def url(self, key: str) -> str:
        return f"{self._client.meta.endpoint_url}/{self._name}/{self._prefix}{key}"

    def objects(self, below: str = "", *, deep: bool = True) -> Iterator[Object]:
        """All whose key begins with `below`, by key; unless deep, folders stand for what they hold.

        A page of them is in memory.
        """
        asked = {"Bucket": self._name, "Prefix": f"{self._prefix}{below}"}
        asked |= {} if deep else {"Delimiter": "/"}
        start, more = len(self._prefix), True
        while more:
            page = self._tried(partial(self._client.list_objects_v2, **asked))
            for folder in page.get("CommonPrefixes", ()):
                yield Object(folder["Prefix"][start:])
            for found in page.get("Contents", ()):
                yield Object(found["Key"][start:], found["Size"], found["ETag"])
            more = page["IsTruncated"]
            asked["ContinuationToken"] = page.get("NextContinuationToken", "")

    def fetch(self, wanted: Object, into: IO[bytes]) -> None:
        """Write an object's bytes, as they were when it was listed.

        Raises Refusal where this one is not to be had.
        """
        self._tried(partial(self._once, wanted, into))

    def _once(self, wanted: Object, into: IO[bytes]) -> None:
        into.seek(0)
        into.truncate()
        pictures = max(1.0, wanted.size / (self._limits.max_megabytes * 1_000_000))
        ends = time.monotonic() + self._limits.total_timeout * pictures
        with closing(self._body(wanted)) as body:
            for piece in body.iter_chunks(PIECE):
                into.write(piece)
                if into.tell() > wanted.size:
                    raise Refusal("bad_answer", "it is longer than listed", wanted.key)
                if time.monotonic() > ends:
                    raise Passing("too_slow", "it was not there when its time was up", wanted.key)

    def _body(self, wanted: Object) -> Any:
        from botocore.exceptions import ClientError

        place = {"Bucket": self._name, "Key": f"{self._prefix}{wanted.key}"}
        try:
            return self._client.get_object(**place, IfMatch=wanted.etag)["Body"]
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code in OF_ONE:
                raise Refusal(OF_ONE[code], str(error), wanted.key) from None
            if code == "PreconditionFailed":
                what = f"{self._address}: {wanted.key} was changed after it was listed"
                raise StudyError(f"{what}: `dvc repro` reads it anew") from None
            raise

    def _tried(self, once: Callable[[], Result]) -> Result:
        """What a request gives, made again after a pause where that may help."""
        from botocore import exceptions as faults

        for number in range(self._limits.retries + 1):
            try:
                return once()
            except faults.ClientError as error:
                fault = error
                passing = error.response["ResponseMetadata"]["HTTPStatusCode"] in backoff.AGAIN
            except (faults.BotoCoreError, Passing) as error:
                fault = error
                passing = isinstance(error, faults.HTTPClientError | Passing)
            if not passing or number == self._limits.retries:
                break
            time.sleep(backoff.pause(number))
        raise self._unreadable(fault) from None

    def _unreadable(self, fault: Exception) -> StudyError:
        return StudyError(
            f"{self._address} cannot be read ({' '.join(str(fault).split())}): AWS_ENDPOINT_URL, "
            "AWS_PROFILE and their like say where it is and who asks; what has come is kept"
        )

    def _connected(self) -> Any:
        try:
            import botocore.session
            from botocore.config import Config
            from botocore.exceptions import BotoCoreError
        except ImportError:
            raise StudyError(f"{self._address} takes the client of S3: `{INSTALL}`") from None
        settings = Config(
            connect_timeout=self._limits.connect_timeout,
            read_timeout=self._limits.read_timeout,
            max_pool_connections=self._limits.connections,
            retries={"total_max_attempts": 1, "mode": "standard"},  # ours are those of params.yaml
        )
        try:
            return botocore.session.get_session().create_client("s3", config=settings)
        except (BotoCoreError, ValueError) as error:  # the latter of an endpoint that is no URL
            raise self._unreadable(error) from None
