"""A picture from an address that a person gives."""

from __future__ import annotations

from app.serving.refusals import RefusedError
from stages.web.client import Client, Limits
from stages.web.refusals import Refusal, status_line

LIMITS = Limits(
    user_agent="ViToon (demo, at the request of a person)",
    connections_per_host=2,
    connect_timeout=5,
    read_timeout=10,
    total_timeout=20,
    max_megabytes=20,
    retries=0,  # somebody waits
)
REMEDY = "save the picture and drop the file"


def fetched(client: Client, address: str) -> bytes:
    """What is there, whatever it is; from public hosts only. Raises RefusedError."""
    try:
        answer = client.get(address, {"accept": "image/*"})
    except Refusal as refusal:
        what = refusal.what or str(refusal)
        raise RefusedError(
            422, refusal.reason, f"the address gives nothing: {what}", REMEDY
        ) from None
    if answer.status != 200:
        said = f"the address gives nothing: it answers {status_line(answer.status)}"
        raise RefusedError(422, f"http_{answer.status}", said, REMEDY)
    return answer.body
