"""What was accepted, what became of it, and whether that keeps the promises; asks nobody."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tvb_nest_cosim.cosim_core.client import FINAL, RunAnswer


@dataclass
class Accepted:
    """A run that the server said it had taken.

    Attributes:
        kind: Kind of experiment.
        digest: Digest that it gives if nothing is wrong.
        state: State when last seen.
        why: Why it did not finish, as the server tells it.
    """

    kind: str
    digest: str
    state: str = "queued"
    why: str = ""

    @property
    def has_ended(self) -> bool:
        """Whether nothing can happen to it any more."""
        return self.state in FINAL


@dataclass
class History:
    """The model that a server is held against.

    Attributes:
        runs: Accepted runs that have not been deleted, by identity.
        violations: Broken promises, as sentences.
        ends: How often a run that went on under a fault ended how, by fault.
    """

    runs: dict[str, Accepted] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)
    ends: dict[str, Counter[str]] = field(default_factory=dict)

    def violated(self, what: str) -> None:
        """Takes note of a broken promise."""
        self.violations.append(what)

    def accept(self, run: str, kind: str, digest: str) -> None:
        """Takes note of a run that was accepted."""
        self.runs[run] = Accepted(kind, digest)

    def see(self, answers: Iterable[RunAnswer]) -> None:
        """Holds all the runs that a server lists against those that it accepted."""
        listed = {answer.id: answer for answer in answers}
        for run in self.runs.keys() - listed.keys():
            self.violated(f"{run} was accepted and is not listed any more: lost")
            del self.runs[run]
        for run, known in self.runs.items():
            self._see(run, known, listed[run])

    def _see(self, run: str, known: Accepted, answer: RunAnswer) -> None:
        if known.has_ended and answer.state != known.state:
            self.violated(f"{run} was {known.state} and is {answer.state} now: an end is no end")
        if not known.has_ended and answer.state in FINAL:
            self._judge_end(run, known, answer)
        known.state = answer.state

    def _judge_end(self, run: str, known: Accepted, answer: RunAnswer) -> None:
        if answer.state != "finished":
            told = [answer.cause or "", *(fault.message for fault in answer.faults)]
            known.why = "; ".join(filter(None, told))
            if not answer.cause:
                self.violated(f"{run} {answer.state}, and nothing says why")
            return
        if answer.digest != known.digest:
            self.violated(
                f"{run} ({known.kind}) finished with digest {answer.digest}, not {known.digest}"
            )
        if answer.windows != answer.windows_total:
            self.violated(f"{run} finished with {answer.windows} of {answer.windows_total} windows")

    def open_runs(self) -> list[str]:
        """Returns the runs that have not ended."""
        return [run for run, known in self.runs.items() if not known.has_ended]

    def judge(
        self, fault: str, before: Mapping[str, str], after: Mapping[str, str], *, survives: bool
    ) -> None:
        """Judges how the runs ended that were there during a fault, which is over.

        Args:
            fault: Its name.
            before: States when it began, by run.
            after: States when it was over. What is queued then was not exposed to it.
            survives: Whether an exposed run has to finish all the same.
        """
        for run, state in after.items():
            if before.get(run) in FINAL or run not in self.runs:
                continue
            end, is_exposed = self.runs[run].state, state != "queued"
            if is_exposed:
                self.ends.setdefault(fault, Counter())[end] += 1
            if end != "finished" and (survives or not is_exposed):
                why = "should survive it" if is_exposed else "had not begun when it was over"
                told = self.runs[run].why
                self.violated(f"{fault}: {run} {end}, though it {why}: {told}")


def why_incomplete(parts: Mapping[str, str], *, has_finished: bool) -> list[str]:
    """Says what is wrong with what a reader made of an undamaged run.

    Args:
        parts: As :mod:`benchmarks.soak.reading` tells it.
        has_finished: Whether the run has; others hold the beginning of what it would have given.
    """
    if has_finished:
        return [f"{part}: {found}" for part, found in parts.items() if found != "same"]
    return [
        f"{part}: {found}"
        for part, found in parts.items()
        # Of a part of a run, the digest is another, and so are the rows of a table by process.
        if found.startswith("crash") or (found == "different" and part not in ("digest", "timing"))
    ]
