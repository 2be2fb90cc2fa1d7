"""A stage as a process: its words, its exit code, and the one place that prints how it ended."""

import errno
import inspect
import sys
from collections.abc import Callable

from stages.errors import BAD_PARAMETER, DONE, FAILED, INTERRUPTED, StudyError
from stages.runtime import unchanged


def run(main: Callable[..., str | None]) -> None:
    """Call `main` with the command line's words and exit.

    What `main` returns, its result in words, is printed as one line, and so is a user's error.
    Exit codes: 0 done, 1 a StudyError, 2 a wrong parameter, 130 interrupted.
    """
    module = inspect.getmodule(main).__spec__.name
    sys.exit(_exit_code(module, main, sys.argv[1:]))


def _exit_code(module: str, main: Callable[..., str | None], words: list[str]) -> int:
    wanted = list(inspect.signature(main).parameters)
    if len(words) != len(wanted):
        usage = " ".join(["python -m", module, *(f"<{name}>" for name in wanted)])
        return _say(module, f"usage: {usage}", BAD_PARAMETER)
    try:
        stage = module.rpartition(".")[2]
        with unchanged.watched(stage, words):
            result = main(*words)
    except StudyError as error:
        return _say(module, str(error), error.exit_code)
    except KeyboardInterrupt:
        return _say(module, "interrupted; `dvc repro` runs this stage again", INTERRUPTED)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        place = error.filename or "the disk"
        return _say(module, f"no space left on {place}: free some (`dvc gc -w`?)", FAILED)
    if result:
        print(f"{' '.join([stage, *words])}: {result}", flush=True)
    return DONE


def _say(module: str, message: str, exit_code: int) -> int:
    print(f"{module}: {message}", file=sys.stderr, flush=True)
    return exit_code
