"""The networks side by side on a page: `python -m app.demo`, on this machine only. docs/demo.md."""

from __future__ import annotations

import argparse
import signal

from app.serving.sockets import listening, shown
from stages.runtime.program import run_command

HOST, PORT = "127.0.0.1", 8001


def words() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m app.demo", description=__doc__.partition(":")[0])
    parser.add_argument(
        "--host", default=HOST, help=f"{HOST}; 0.0.0.0 lets everyone in who reaches this machine"
    )
    parser.add_argument("--port", type=int, default=PORT, help=f"{PORT}; 0 takes a free one")
    return parser


def main(host: str, port: int) -> str:
    # Here, not above: processes that it starts import this file, and need none of it.
    import uvicorn

    from app.demonstration.application import Demo
    from app.demonstration.examples import examples
    from app.demonstration.heat_maps import HeatMaps
    from app.demonstration.visitors import LOOPBACK
    from app.prediction.choice import exported
    from app.prediction.model import load
    from app.serving.connections import TimedHeads

    networks = [load(folder / "float32.onnx", threads=0) for folder in exported().values()]
    demo = Demo(networks, examples(), HeatMaps())
    application = demo.application(loopback=host in LOOPBACK)
    with listening(host, port) as place:
        print(f"demo: http://{shown(place)} (Ctrl-C ends it)", flush=True)
        settings = uvicorn.Config(
            application, http=TimedHeads, log_level="warning", server_header=False
        )
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # end as by Ctrl-C, tidily
        try:
            uvicorn.Server(settings).run(sockets=[place])
        except KeyboardInterrupt:
            return "ended"
    return "ended"


if __name__ == "__main__":
    run_command(main, words())
