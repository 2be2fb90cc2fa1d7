"""`python -m app.serve`: an exported network answers over HTTP. docs/serve.md."""

from __future__ import annotations

import argparse

from app.prediction.choice import PRECISIONS, chosen
from app.serving.sockets import listening, shown
from stages.runtime.processors import cores
from stages.runtime.program import run_command

GRACE = 30  # seconds for what is being answered when the service is asked to end


def main(model: str | None, precision: str, host: str, port: int, **limits: float) -> None:
    file = chosen(model, precision)
    with listening(host, port) as place:
        # Imported here: each process that decodes imports this file again.
        from app.prediction.model import load
        from app.serving.running import run

        loaded = load(file, threads=1)  # more threads are for more requests
        said = (
            f"{loaded.card['title']} ({loaded.card['precision']}) answers at http://{shown(place)}"
        )
        run(loaded, place, said, GRACE, **limits)


def words() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m app.serve", description="An exported network answers over HTTP."
    )
    add = parser.add_argument
    add("--model", help="a network of models/, or a file; the best network unless given")
    add("--precision", choices=PRECISIONS, default="float32", help="of a network of models/")
    add("--host", default="127.0.0.1", help="0.0.0.0: for other machines too")
    add("--port", type=int, default=8000, help="0: any that is free")
    add("--workers", type=int, default=cores(), help="processes and threads; one a core")
    add("--max-megabytes", type=float, default=20, help="of a request")
    add("--max-megapixels", type=float, help="of a picture; as in the study unless given")
    add("--max-pictures", type=int, default=16, help="in a request")
    add("--max-requests", type=int, default=256, help="at once")
    add("--max-waiting", type=int, default=32, help="pictures at once")
    add("--body-seconds", type=float, default=20, help="for a request to arrive")
    add("--seconds", type=float, default=15, help="for an answer after that")
    return parser


if __name__ == "__main__":
    run_command(main, words())
