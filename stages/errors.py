"""What a user can get wrong, and the one place that prints it and ends the process."""

import errno
import inspect
import sys
from collections.abc import Callable

DONE, FAILED, BAD_PARAMETER, INTERRUPTED = 0, 1, 2, 130


class StudyError(Exception):
    """An error with a remedy: its text says what happened, where, and what to do."""

    exit_code = FAILED


class InterruptedStageError(StudyError):
    """Somebody ended a stage that keeps what it had; the text says where it goes on."""

    exit_code = INTERRUPTED


class ParameterError(StudyError):
    """A wrong key or value in params.yaml or on the command line."""

    exit_code = BAD_PARAMETER


def run(main: Callable[..., None]) -> None:
    """Call `main` with the command line's words and exit; a user's error is one line.

    Exit codes: 0 done, 1 a StudyError, 2 a wrong parameter, 130 interrupted.
    """
    stage = inspect.getmodule(main).__spec__.name
    sys.exit(_exit_code(stage, main, sys.argv[1:]))


def _exit_code(stage: str, main: Callable[..., None], words: list[str]) -> int:
    wanted = list(inspect.signature(main).parameters)
    if len(words) != len(wanted):
        usage = " ".join(["python -m", stage, *(f"<{name}>" for name in wanted)])
        return _say(stage, f"usage: {usage}", BAD_PARAMETER)
    try:
        main(*words)
    except StudyError as error:
        return _say(stage, str(error), error.exit_code)
    except KeyboardInterrupt:
        return _say(stage, "interrupted; `dvc repro` runs this stage again", INTERRUPTED)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        place = error.filename or "the disk"
        return _say(stage, f"no space left on {place}: free some (`dvc gc -w`?)", FAILED)
    return DONE


def _say(stage: str, message: str, exit_code: int) -> int:
    print(f"{stage}: {message}", file=sys.stderr, flush=True)
    return exit_code
