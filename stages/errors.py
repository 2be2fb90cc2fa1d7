"""What a user can get wrong; stages/runtime/program.py prints it and ends the process."""

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
