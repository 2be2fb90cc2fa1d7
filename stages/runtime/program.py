"""A stage or command as a process: its words, exit code, and the one place that prints its end."""

import argparse
import errno
import inspect
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from stages.errors import BAD_PARAMETER, DONE, FAILED, INTERRUPTED, StudyError


def run(main: Callable[..., str | None]) -> None:
    """Call `main` with the command line's words and exit.

    What `main` returns, its result in words, is printed as one line, and so is a user's error.
    Exit codes: 0 done, 1 a StudyError, 2 a wrong parameter, 130 interrupted.
    """
    module = inspect.getmodule(main).__spec__.name
    sys.exit(_exit_code(module, main, sys.argv[1:]))


def run_command(main: Callable[..., str | None], words: argparse.ArgumentParser) -> None:
    """As `run`, for what is no stage and has options: `words` names what `main` is called with."""
    module = inspect.getmodule(main).__spec__.name
    chosen = vars(words.parse_args())
    sys.exit(_ended(module, module.rpartition(".")[2], lambda: main(**chosen)))


def with_this_python(variables: Mapping[str, str]) -> dict[str, str]:
    """Environment variables by which `python` is the one that runs this."""
    folders = [str(Path(sys.executable).parent), variables.get("PATH", "")]
    return {**variables, "PATH": os.pathsep.join(folders)}


def _exit_code(module: str, main: Callable[..., str | None], words: list[str]) -> int:
    wanted = list(inspect.signature(main).parameters)
    if len(words) != len(wanted):
        usage = " ".join(["python -m", module, *(f"<{name}>" for name in wanted)])
        return _say(module, f"usage: {usage}", BAD_PARAMETER)
    stage = module.rpartition(".")[2]
    from stages.runtime import unchanged  # here: it takes pydantic, which commands start without

    def watched() -> str | None:
        with unchanged.watched(stage, words):
            return main(*words)

    interrupted = "interrupted; `dvc repro` runs this stage again"
    return _ended(module, " ".join([stage, *words]), watched, interrupted)


def _ended(
    module: str, name: str, work: Callable[[], str | None], interrupted: str = "interrupted"
) -> int:
    try:
        result = work()
    except StudyError as error:
        return _say(module, str(error), error.exit_code)
    except KeyboardInterrupt:
        return _say(module, interrupted, INTERRUPTED)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        place = error.filename or "the disk"
        return _say(module, f"no space left on {place}: free some (`dvc gc -w`?)", FAILED)
    if result:
        print(f"{name}: {result}", flush=True)
    return DONE


def _say(module: str, message: str, exit_code: int) -> int:
    print(f"{module}: {message}", file=sys.stderr, flush=True)
    return exit_code
