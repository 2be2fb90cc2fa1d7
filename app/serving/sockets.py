"""Where a service listens."""

from __future__ import annotations

import socket

from stages.errors import StudyError


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens; port 0 is any that is free.

    Raises StudyError where that place is taken or none of this machine's.
    """
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=2048)
    except (OSError, OverflowError) as error:
        raise StudyError(
            f"cannot listen at {host}:{port} ({error}): try another --port or --host"
        ) from None


def shown(place: socket.socket) -> str:
    """Its address as a URL has it."""
    host, port = place.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
