"""What is offered for a name that does not exist."""

from __future__ import annotations

import pytest

from tvb_nest_cosim.cosim_core.errors import ExperimentError
from tvb_nest_cosim.cosim_core.model.experiment import parse
from tvb_nest_cosim.cosim_core.plugins import near_names, suggest

REGIONS = ["rA1", "rHC", "rPHC", "lHC", "lPHC"]
MODELS = ["ReducedWongWang", "ZerlautAdaptationFirstOrder", "ZerlautAdaptationSecondOrder"]


@pytest.mark.parametrize(
    ("typed", "known", "near"),
    [
        ("rH", REGIONS, ["rHC"]),
        ("lph", REGIONS, ["lPHC"]),
        ("Zerl", MODELS, ["ZerlautAdaptationFirstOrder", "ZerlautAdaptationSecondOrder"]),
        ("rHCC", REGIONS, ["rHC", "rPHC", "lHC"]),
        ("ab", ["ab1", "ab2", "ab3", "ab4"], ["ab1", "ab2", "ab3"]),
        ("qqq", REGIONS, []),
    ],
)
def test_names_that_begin_so_come_before_those_that_resemble(
    typed: str, known: list[str], near: list[str]
) -> None:
    assert near_names(typed, known) == near


def test_a_single_letter_is_no_beginning() -> None:
    assert near_names("r", ["rate", "region", "weight"]) == []


def test_without_a_near_name_all_are_listed() -> None:
    assert suggest("qqq", ["b", "a"]) == "known are: a, b"
    assert suggest("qqq", []) == "known are: none"


def test_an_unknown_word_of_a_list_gets_a_suggestion() -> None:
    spiking = [{"regions": ["rHC"], "drive": {"kind": "poison"}, "rate": {"kind": "Gauss"}}]
    with pytest.raises(ExperimentError) as caught:
        parse({"spiking": spiking, "simulators": "everything"})
    found = {fault.path: fault.message for fault in caught.value.faults}
    assert "(did you mean poisson?); got 'poison'" in found["spiking.0.drive.kind"]
    assert "(did you mean gaussian?)" in found["spiking.0.rate.kind"]
    assert "did you mean" not in found["simulators"]
