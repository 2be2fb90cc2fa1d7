"""A stage that writes slowly, so that a kill has something to hit, and tells each piece on stdout.

    python -m tests.compute.slowly <word of the stage> <stage> <seconds after each piece>

As in a stage's command the network comes first; `-` where there is none.
"""

import runpy
import sys
import time

from stages.pictures.conversions import Conversions
from stages.training import drafts


def slow(function, seconds: float):
    def told(*arguments):
        result = function(*arguments)
        print("written", flush=True)
        time.sleep(seconds)
        return result

    return told


def main(word: str, stage: str, seconds: str) -> None:
    drafts.SECONDS = 0
    drafts.Draft.put = slow(drafts.Draft.put, float(seconds))
    Conversions.add = slow(Conversions.add, float(seconds))
    sys.argv = [sys.argv[0], *([word] if word != "-" else [])]
    runpy.run_module(f"stages.{stage}", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
