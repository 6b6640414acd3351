"""Users' own translators: found, made, called and checked, with every fault reported."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path
from textwrap import dedent, indent
from typing import Any

import numpy as np
import pytest
from translator_plans import make_plan, populations_of

from tvb_nest_cosim.cosim_core.errors import ExperimentError, ProtocolError, SimulationError
from tvb_nest_cosim.cosim_core.model.plan import RunPlan
from tvb_nest_cosim.cosim_core.model.signals import Array
from tvb_nest_cosim.cosim_core.model.timegrid import Window
from tvb_nest_cosim.translator.pipeline import Pipeline
from tvb_nest_cosim.translator.random_numbers import CounterStream

_names = (f"user_module_{number}" for number in itertools.count())


@pytest.fixture(autouse=True)
def _own_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))


def module(folder: Path, text: str) -> str:
    """Writes a user's module; every one needs a name of its own, since Python keeps modules."""
    name = next(_names)
    (folder / f"{name}.py").write_text(dedent(text))
    return name


def rate_class(folder: Path, body: str) -> str:
    text = "import numpy as np\nclass Own:\n    def __init__(self, context, **parameters):\n"
    text += "        self.context, self.parameters = context, parameters\n"
    text += "    def translate(self, window, counts, spikes):\n" + indent(dedent(body), " " * 8)
    return f"{module(folder, text)}:Own"


def drive_class(folder: Path, body: str) -> str:
    text = "import numpy as np\nclass Own:\n    def __init__(self, context):\n"
    text += "        self.context = context\n"
    text += "    def translate(self, window, input_hz):\n" + indent(dedent(body), " " * 8)
    return f"{module(folder, text)}:Own"


def rate_plan(folder: Path, name: str, ranks: int = 1, **parameters: Any) -> RunPlan:
    rate = {"translator": name, "translator_parameters": parameters}
    return make_plan(rates=[rate], base_dir=folder, nest_ranks=ranks)


def started(plan: RunPlan) -> Pipeline:
    pipeline = Pipeline(plan)
    pipeline.build(lambda window, arrays: None)
    pipeline.start(populations_of(plan))
    return pipeline


def fault_of(plan: RunPlan) -> Any:
    with pytest.raises(ExperimentError) as caught:
        started(plan)
    (fault,) = caught.value.faults
    return fault


def spikes_of(ranks: int = 1) -> list[dict[str, Array]]:
    """Spikes on ticks 1 ... 20, dealt to ranks."""
    neuron = np.arange(0, 100, 5, dtype=np.uint32)
    tick = np.arange(1, 21, dtype=np.uint16)[::-1].copy()
    table = np.zeros((2, 20), dtype=np.uint32)
    np.add.at(table, ((neuron >= 80).astype(int), tick - 1), 1)
    empty = np.zeros((2, 20), dtype=np.uint32)
    return [
        {
            "counts/r0": table if rank == 0 else empty,
            "spikes/r0/neuron": neuron[rank::ranks],
            "spikes/r0/tick": tick[rank::ranks],
        }
        for rank in range(ranks)
    ]


def test_rate_class_gets_counts_spikes_and_parameters(tmp_path: Path) -> None:
    body = """
        assert counts.dtype == np.uint32 and counts.sum() == spikes.neuron.size == 20
        assert spikes.tick.tolist() == [*range(1, 21)] and spikes.neuron[0] == 95
        assert self.context.populations == {"excitatory": 80, "inhibitory": 20}
        return self.parameters["scale"] * counts.astype(float)
    """
    name = rate_class(tmp_path, body)
    pipeline = started(rate_plan(tmp_path, name, scale=2.5))
    window = Window(0, 0, 20)
    one = pipeline.rates(window, spikes_of())["rates/r0"]
    assert np.array_equal(one, 2.5 * spikes_of()[0]["counts/r0"])
    dealt = started(rate_plan(tmp_path, name, ranks=3, scale=2.5))
    assert np.array_equal(dealt.rates(window, spikes_of(3))["rates/r0"], one)


@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_spikes_of_a_tick_come_by_neuron_whatever_rank_they_are_from(
    tmp_path: Path, ranks: int
) -> None:
    body = """
        assert spikes.tick.tolist() == sorted(spikes.tick.tolist())
        return np.tile(spikes.neuron.astype(float), (2, 1))
    """
    pipeline = started(rate_plan(tmp_path, rate_class(tmp_path, body), ranks))
    neuron = np.arange(20, dtype=np.uint32)[::-1].copy()
    tick = np.repeat(np.array([7, 3], dtype=np.uint16), 10)
    parts = [
        {
            "counts/r0": np.zeros((2, 20), np.uint32),
            "spikes/r0/neuron": neuron[rank::ranks],
            "spikes/r0/tick": tick[rank::ranks],
        }
        for rank in range(ranks)
    ]
    seen = pipeline.rates(Window(0, 0, 20), parts)["rates/r0"][0]
    assert seen.tolist() == [*range(20)]


def test_numbers_of_a_user_do_not_depend_on_windows(tmp_path: Path) -> None:
    body = "return np.tile(self.context.uniforms(window, 1)[:, 0], (2, 1))"
    name = rate_class(tmp_path, body)
    spikes = spikes_of()[0]
    whole = started(rate_plan(tmp_path, name)).rates(Window(0, 0, 20), [spikes])["rates/r0"]
    pipeline = started(rate_plan(tmp_path, name))
    parts = []
    for window in (Window(0, 0, 7), Window(1, 7, 20)):
        cut = {**spikes, "counts/r0": spikes["counts/r0"][:, window.start : window.stop]}
        parts.append(pipeline.rates(window, [cut])["rates/r0"])
    assert np.array_equal(np.concatenate(parts, axis=1), whole)


def test_each_direction_has_random_numbers_of_its_own(tmp_path: Path) -> None:
    rate = rate_class(tmp_path, "return np.tile(self.context.uniforms(window, 1)[:, 0], (2, 1))")
    drive = drive_class(tmp_path, "return {'rate': self.context.uniforms(window, 1)[:, 0]}")
    plan = make_plan(
        rates=[{"translator": rate}], group_drive={"translator": drive}, base_dir=tmp_path, seed=3
    )
    pipeline, window = started(plan), Window(0, 0, 20)
    expected = {
        part: CounterStream(3, "r0", f"user {part}").uniforms(window)[:, 0]
        for part in ("rate", "drive")
    }
    rates = pipeline.rates(window, spikes_of())["rates/r0"]
    drives = pipeline.drive(window, {"coupling/r0": np.zeros(20)})["drive/r0/rate"]
    assert np.array_equal(rates[0], expected["rate"])
    assert np.array_equal(drives, expected["drive"])
    assert not np.array_equal(rates[0], drives)


def test_user_and_built_in_translators_work_side_by_side(tmp_path: Path) -> None:
    own = {"translator": rate_class(tmp_path, "return counts.astype(float)")}
    plan = make_plan(drives=["poisson"] * 3, rates=[{}, own, {}], base_dir=tmp_path)
    pipeline = started(plan)
    ranks = spikes_of()[0]
    ranks = {name.replace("r0", f"r{i}"): a for i in range(3) for name, a in ranks.items()}
    rates = pipeline.rates(Window(0, 0, 20), [ranks])
    assert np.array_equal(rates["rates/r1"], ranks["counts/r1"])
    assert np.array_equal(rates["rates/r0"], rates["rates/r2"])
    assert not np.array_equal(rates["rates/r0"], rates["rates/r1"])


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("return counts", "of dtype uint32, expected float64"),
        ("return counts[:1].astype(float)", r"of shape \(1, 20\), expected shape \(2, 20\)"),
        ("return [1.0]", "of type list, expected a NumPy array"),
        ("return None", "of type NoneType"),
        ("return np.full(counts.shape, np.nan)", "is nan, expected finite numbers, not negative"),
        ("return np.full(counts.shape, np.inf)", "is inf"),
        ("return counts - 1.0", "is -1.0, expected finite numbers, not negative"),
        ("return 1 / 0", "it raised ZeroDivisionError: division by zero"),
    ],
)
def test_wrong_rates_are_named_with_edge_region_and_window(
    tmp_path: Path, body: str, message: str
) -> None:
    pipeline = started(rate_plan(tmp_path, rate_class(tmp_path, body)))
    place = r"of region 'r0', edge translator>tvb, window 3 \(ticks 61 ... 80\): .*"
    with pytest.raises(SimulationError, match=place + message):
        pipeline.rates(Window(3, 60, 80), spikes_of())


def test_traceback_of_a_user_is_kept(tmp_path: Path) -> None:
    pipeline = started(rate_plan(tmp_path, rate_class(tmp_path, "return 1 / 0")))
    with pytest.raises(SimulationError) as caught:
        pipeline.rates(Window(0, 0, 20), spikes_of())
    assert "return 1 / 0" in caught.value.detail


def test_spikes_that_were_not_sent_are_named(tmp_path: Path) -> None:
    pipeline = started(rate_plan(tmp_path, rate_class(tmp_path, "return counts.astype(float)")))
    with pytest.raises(ProtocolError, match="rank 0: the single spikes of region 'r0'"):
        pipeline.rates(Window(0, 0, 20), [{"counts/r0": spikes_of()[0]["counts/r0"]}])


def drive_plan(folder: Path, kind: Any, body: str) -> RunPlan:
    name = drive_class(folder, body)
    return make_plan(drives=[kind], group_drive={"translator": name}, base_dir=folder)


def test_drive_class_gets_the_input_and_gives_the_signals(tmp_path: Path) -> None:
    body = """
        assert self.context.driven_neurons == 100 and self.context.drive.kind == "trains"
        assert (input_hz == 300.0).all()
        return {"neuron": np.array([0, 99], np.uint32), "tick": np.array([1, 20], np.uint16)}
    """
    pipeline = started(drive_plan(tmp_path, "trains", body))
    drive = pipeline.drive(Window(0, 0, 20), {"coupling/r0": np.full(20, 2.0)})
    assert drive.keys() == {"drive/r0/neuron", "drive/r0/tick"}
    assert drive["drive/r0/neuron"].tolist() == [0, 99]


def test_every_region_of_a_group_has_objects_of_its_own(tmp_path: Path) -> None:
    row = "np.full(20, float(self.context.region[1:]) + input_hz[0])"
    drive = drive_class(tmp_path, f"return {{'rate': {row}}}")
    rate = rate_class(tmp_path, "return counts + float(self.context.region[1:])")
    plan = make_plan(
        drives=["poisson"] * 3,
        rates=[{"translator": rate}] * 3,
        group_drive={"translator": drive},
        base_dir=tmp_path,
        one_group=True,
    )
    pipeline = started(plan)
    coupling = {f"coupling/r{i}": np.full(20, 10.0 * i) for i in range(3)}
    drives = pipeline.drive(Window(0, 0, 20), coupling)
    counts, signals = spikes_of()[0]["counts/r0"], {}
    for i in range(3):
        signals |= {name.replace("r0", f"r{i}"): array for name, array in spikes_of()[0].items()}
        signals[f"counts/r{i}"] = counts * (10 * i)
    rates = pipeline.rates(Window(0, 0, 20), [signals])
    for i in range(3):
        assert np.array_equal(drives[f"drive/r{i}/rate"], np.full(20, i + 100.0 * (10.0 * i + 1.0)))
        assert np.array_equal(rates[f"rates/r{i}"], counts * 10.0 * i + i)


def test_array_of_a_user_may_be_used_again(tmp_path: Path) -> None:
    body = """
        self.buffer = getattr(self, "buffer", np.zeros(20))
        self.buffer += 1.0
        return {"rate": self.buffer}
    """
    pipeline = started(drive_plan(tmp_path, "poisson", body))
    coupling = {"coupling/r0": np.zeros(20)}
    first = pipeline.drive(Window(0, 0, 20), coupling)["drive/r0/rate"]
    first.flags.writeable = False
    second = pipeline.drive(Window(1, 20, 40), coupling)["drive/r0/rate"]
    assert (first[0], second[0]) == (1.0, 2.0)


TICKS = "np.array({}, np.uint16)"


@pytest.mark.parametrize(
    ("kind", "body", "message"),
    [
        ("poisson", "return {}", r"is \[\], expected a mapping of \['rate'\]"),
        ("poisson", "return input_hz", "is ndarray, expected a mapping"),
        ("poisson", "return {'rate': input_hz[1:]}", r"rate is of shape \(19,\)"),
        ("poisson", "return {'rate': -input_hz}", r"rate\[0\] is -100.0"),
        ("current", "return {'amplitude': input_hz * np.inf}", "is inf, expected finite"),
        ("poisson", "input_hz[0] = 1.0", "it raised ValueError: assignment destination"),
        (
            "mip",
            f"return {{'tick': {TICKS.format([1, 2])}, 'count': np.ones(1, np.uint32)}}",
            "number of events is .*, expected the same",
        ),
        (
            "mip",
            f"return {{'tick': {TICKS.format([0])}, 'count': np.ones(1, np.uint32)}}",
            r"tick is in the range 0 ... 0, expected values in 1 ... 20",
        ),
        (
            "mip",
            f"return {{'tick': {TICKS.format([3, 2])}, 'count': np.ones(2, np.uint32)}}",
            "not in order",
        ),
        (
            "mip",
            f"return {{'tick': {TICKS.format([3])}, 'count': np.zeros(1, np.uint32)}}",
            "count is in the range 0 ... 0",
        ),
        (
            "trains",
            f"return {{'tick': {TICKS.format([3])}, 'neuron': np.full(1, 100, np.uint32)}}",
            r"neuron is in the range 100 ... 100, expected values in 0 ... 99",
        ),
        (
            "trains",
            f"return {{'tick': {TICKS.format([3])}, 'neuron': np.zeros(1, np.int64)}}",
            "neuron is of dtype int64, expected uint32",
        ),
    ],
)
def test_wrong_drives_are_named(tmp_path: Path, kind: str, body: str, message: str) -> None:
    pipeline = started(drive_plan(tmp_path, kind, body))
    with pytest.raises(SimulationError, match="edge translator>nest, window 0 .*" + message):
        pipeline.drive(Window(0, 0, 20), {"coupling/r0": np.zeros(20)})


def test_negative_current_is_no_fault(tmp_path: Path) -> None:
    pipeline = started(drive_plan(tmp_path, "current", "return {'amplitude': -input_hz}"))
    drive = pipeline.drive(Window(0, 0, 20), {"coupling/r0": np.zeros(20)})
    assert (drive["drive/r0/amplitude"] == -100.0).all()


@pytest.mark.parametrize(
    ("text", "name", "message"),
    [
        ("", "nowhere_at_all:Own", "there is no module 'nowhere_at_all' beside the experiment"),
        ("class Owl: ...", "{}:Own", "has no class 'Own'; did you mean Owl?"),
        ("Own = 3", "{}:Own", "is not a class with a method 'translate'"),
        ("class Own: ...", "{}:Own", "is not a class with a method 'translate'"),
        ("import nothing_like_it", "{}:Own", "fails on import: ModuleNotFoundError"),
        ("1 / 0", "{}:Own", "fails on import: ZeroDivisionError: division by zero"),
        ("", "elefant", "neither of the form module:Class nor .* did you mean elephant"),
    ],
)
def test_classes_that_cannot_be_found(tmp_path: Path, text: str, name: str, message: str) -> None:
    fault = fault_of(rate_plan(tmp_path, name.format(module(tmp_path, text))))
    assert fault.path == "spiking.0.rate.translator"
    with pytest.raises(ExperimentError, match=message):
        raise ExperimentError([fault])


def test_parameters_that_do_not_fit(tmp_path: Path) -> None:
    text = """
        class Own:
            def __init__(self, context, width=1): ...
            def translate(self, window, counts, spikes): ...
    """
    fault = fault_of(rate_plan(tmp_path, f"{module(tmp_path, text)}:Own", widht=2))
    assert fault.path == "spiking.0.rate.translator_parameters"
    assert "unexpected keyword argument 'widht'" in fault.message


def test_constructors_of_both_directions_and_all_regions_are_reported_together(
    tmp_path: Path,
) -> None:
    text = """
        class Own:
            def __init__(self, context): raise RuntimeError("no licence")
            def translate(self, window, *signals): ...
    """
    own = {"translator": f"{module(tmp_path, text)}:Own"}
    plan = make_plan(
        drives=["mip"] * 2, rates=[own] * 2, group_drive=own, base_dir=tmp_path, one_group=True
    )
    with pytest.raises(ExperimentError) as caught:
        started(plan)
    found = {(fault.path, fault.message.split("'")[1]) for fault in caught.value.faults}
    paths = [f"spiking.0.{part}.translator" for part in ("rate", "drive")]
    assert found == {(path, region) for path in paths for region in ("r0", "r1")}


def test_constructor_that_raises(tmp_path: Path) -> None:
    text = """
        class Own:
            def __init__(self, context): raise RuntimeError("no licence")
            def translate(self, window, input_hz): ...
    """
    name = f"{module(tmp_path, text)}:Own"
    plan = make_plan(drives=["mip"], group_drive={"translator": name}, base_dir=tmp_path)
    fault = fault_of(plan)
    assert fault.path == "spiking.0.drive.translator"
    assert "cannot be made for region 'r0': RuntimeError: no licence" in fault.message
    assert "raise RuntimeError" in fault.detail
