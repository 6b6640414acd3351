"""Every error that the co-simulation raises on purpose.

The tree::

    CosimError
    ├── ExperimentError      bad input, found before anything runs (exit code 2)
    │                        carries every fault found, each with its key path
    ├── ProtocolError        a frame or message that does not follow docs/protocol.md
    ├── ParticipantLost      a peer process or connection is gone
    ├── DeadlineExceeded     a wait took longer than it may; says who waits for what
    ├── SimulationError      a simulator, network or translator failed while running
    ├── StopRequested        the orchestrator ended the run while this participant waited
    ├── SecurityError        keys are missing, damaged or readable by others
    └── RunDirectoryError    a run directory cannot be written or read

A message says who, what was got, what was expected, the likely cause and the remedy. Errors of
other packages are turned into these at the edge where they arise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

EXIT_FAILED = 1
"""Exit code of a run that started and then failed."""

EXIT_BAD_INPUT = 2
"""Exit code of a run that was refused before it started."""

EXIT_DESERTED = 3
"""Exit code of a worker that ended because the others it needs were gone."""

EXIT_INTERRUPTED = 130
"""Exit code of a run that was ended by Ctrl-C (128 + SIGINT)."""


class CosimError(Exception):
    """Root of the tree; catching it catches every error raised on purpose."""


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong with an experiment.

    Attributes:
        path: Where, as a key path of the experiment (``tvb.model.name``) or a role (``nest``).
        message: What was got, what was expected and what to do, in one sentence or two.
        detail: Further lines, such as the traceback of a user's function; may be empty.
        line: Line of the text that holds it, counted from 1; None where no line does.
        file: File of that line; empty for a text that came over the network.
    """

    path: str
    message: str
    detail: str = ""
    line: int | None = None
    file: str = ""

    def __str__(self) -> str:
        text = f"{self.path}: {self.message}" if self.path else self.message
        return f"{text}\n{self.detail}" if self.detail else text


class ExperimentError(CosimError):
    """An experiment that cannot be run as it is; all faults at once.

    Attributes:
        faults: At least one fault.
    """

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(str(fault) for fault in self.faults))

    @classmethod
    def single(cls, path: str, message: str, detail: str = "") -> ExperimentError:
        """Makes the error of one fault."""
        return cls([Fault(path, message, detail)])


@contextmanager
def all_faults() -> Iterator[Callable[[], AbstractContextManager[None]]]:
    """Lets several attempts fail and raises their faults together, each once.

    ::

        with all_faults() as attempt:
            for item in items:
                with attempt():
                    check(item)

    Raises:
        ExperimentError: At the end, if any attempt raised one.
    """
    faults: list[Fault] = []

    @contextmanager
    def attempt() -> Iterator[None]:
        try:
            yield
        except ExperimentError as error:
            faults.extend(error.faults)

    yield attempt
    if faults:
        raise ExperimentError(dict.fromkeys(faults))


class ProtocolError(CosimError):
    """A frame or a message that does not follow the protocol."""


class ParticipantLost(CosimError):
    """A peer's process ended or its connection broke."""


class DeadlineExceeded(CosimError):
    """A wait lasted longer than allowed."""


class SimulationError(CosimError):
    """A simulator, network or translator failed while the run was going on.

    Attributes:
        detail: Further lines, such as a traceback; may be empty.
    """

    def __init__(self, message: str, detail: str = "") -> None:
        self.detail = detail
        super().__init__(message)


class StopRequested(CosimError):
    """The orchestrator told this participant to end now; not a fault of the participant."""


class SecurityError(CosimError):
    """Keys are missing, damaged or readable by others."""


class RunDirectoryError(CosimError):
    """A run directory that cannot be made, written or read."""


def install_hint(extra: str) -> str:
    """Says how to get the packages of an extra; the distribution is on no package index."""
    return f"in a clone of tvb-nest-cosim, pip install '.[{extra}]'"
