"""Answers about a run that goes on, shared by all clients that ask."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, TypeVar

_T = TypeVar("_T")

FRESH_S = 1.0
"""An answer is given again for so long, and for longer if it took long to make."""

SHARE = 0.02
"""Of the time that passes, at most so much goes into making one answer anew."""

KEPT = 64
"""Answers that are kept, those asked for last."""


@dataclass
class _Answer:
    making: threading.Lock = field(default_factory=threading.Lock)
    value: Any = None
    good_until_s: float = 0.0


class AnswerCache:
    """Keeps answers for a while; may be used from any thread.

    A thread that asks while an answer is being made waits for it: the same is never made twice.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answers: OrderedDict[Hashable, _Answer] = OrderedDict()

    def get(self, question: Hashable, make: Callable[[], _T]) -> _T:
        """Returns the answer to a question, made now or a short time ago.

        Args:
            question: What is asked.
            make: Makes the answer; what it raises is raised, and nothing is kept.
        """
        with self._lock:
            answer = self._answers.setdefault(question, _Answer())
            self._answers.move_to_end(question)
            while len(self._answers) > KEPT:
                self._answers.popitem(last=False)
        with answer.making:
            began_s = time.monotonic()
            if began_s >= answer.good_until_s:
                answer.value = make()
                ended_s = time.monotonic()
                answer.good_until_s = ended_s + max(FRESH_S, (ended_s - began_s) / SHARE)
            found: _T = answer.value
            return found
