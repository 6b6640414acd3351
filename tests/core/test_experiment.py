"""From a file to an experiment, or to every fault in it under the user's own key paths."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from conftest import EXPERIMENTS
from tvb_nest_cosim.cosim_core.errors import ExperimentError, Fault
from tvb_nest_cosim.cosim_core.model.experiment import (
    Experiment,
    apply_overrides,
    experiment_schema,
    load_experiment,
    parse,
)
from tvb_nest_cosim.cosim_core.model.experiment.lines import lines_of
from tvb_nest_cosim.cosim_core.model.experiment.load import MAX_FILE_BYTES, dump_yaml

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def write_file(text: str | bytes, name: str = "experiment.yaml") -> Path:
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write_file


def faults_of(call: Callable[..., object], *arguments: object) -> dict[str, str]:
    with pytest.raises(ExperimentError) as caught:
        call(*arguments)
    return {fault.path: fault.message for fault in caught.value.faults}


def test_an_empty_tree_is_the_default_experiment() -> None:
    assert parse({}) == Experiment()


def test_a_file_is_read(write: Callable[..., Path]) -> None:
    path = write("name: two\nduration_ms: 20\nspiking:\n  - regions: [rHC, lHC]\n")
    experiment = load_experiment(path)
    assert experiment.duration_ms == 20.0
    assert [region for region, _, _ in experiment.spiking_regions()] == ["rHC", "lHC"]


def test_merged_parts_may_be_changed_but_no_key_is_there_twice(write: Callable[..., Path]) -> None:
    text = "tvb:\n  model: &m {name: JansenRit}\n  coupling: {<<: *m, name: Linear}\n"
    assert load_experiment(write(text)).tvb.coupling.name == "Linear"
    (message,) = faults_of(load_experiment, write(f"{text}seed: 1\nseed: 2\n")).values()
    assert message.endswith("is not valid YAML: the key 'seed' is there twice, line 5, column 1")


def test_what_is_written_reads_the_same(write: Callable[..., Path]) -> None:
    experiment = parse(
        {
            "adex": {"noise": {"nsig": 2.0}},
            "spiking": [{"regions": ["rHC"], "record": {"analog": [{"population": "e"}]}}],
            "stand_in": {"kind": "constant", "hz": {"rHC": 3.0}},
            "tvb": {"initial": {"E": [0.0, 0.1]}},
        }
    )
    assert load_experiment(write(dump_yaml(experiment))) == experiment


def test_experiments_are_frozen() -> None:
    with pytest.raises(ValidationError):
        Experiment().seed = 2


@pytest.mark.parametrize(
    ("tree", "path", "near"),
    [
        ({"duratoin_ms": 1}, "duratoin_ms", "duration_ms"),
        ({"tvb": {"modle": {}}}, "tvb.modle", "model"),
        ({"spiking": [{"regions": ["a"], "drives": {}}]}, "spiking.0.drives", "drive"),
        ({"tvb": {"monitors": [{"perod_ms": 1}]}}, "tvb.monitors.0.perod_ms", "period_ms"),
        ({"adex": {"excitatory": {"C_m": 1}}}, "adex.excitatory.C_m", "C_m_pF"),
        ({"stand_in": {"kind": "file", "path": "x", "pth": 1}}, "stand_in.pth", "path"),
    ],
)
def test_unknown_keys_are_named_with_near_ones(tree: dict[str, Any], path: str, near: str) -> None:
    message = faults_of(parse, tree)[path]
    assert message.startswith("unknown key; did you mean ")
    assert near in message


def test_an_unknown_key_without_near_ones_lists_those_known() -> None:
    assert faults_of(parse, {"window": {"zzz": 1}}) == {
        "window.zzz": "unknown key; known keys here: length_ms, lookahead"
    }


@pytest.mark.parametrize(
    ("tree", "path"),
    [
        ({"duration_ms": "long"}, "duration_ms"),
        ({"duration_ms": -1}, "duration_ms"),
        ({"duration_ms": 0}, "duration_ms"),
        ({"duration_ms": float("nan")}, "duration_ms"),
        ({"dt_ms": float("inf")}, "dt_ms"),
        ({"seed": 0}, "seed"),
        ({"seed": 2**31}, "seed"),
        ({"seed": 1.5}, "seed"),
        ({"simulators": "all"}, "simulators"),
        ({"window": {"length_ms": "long"}}, "window.length_ms"),
        ({"window": {"lookahead": 3}}, "window.lookahead"),
        ({"connectome": {"speed_mm_per_ms": 0}}, "connectome.speed_mm_per_ms"),
        ({"spiking": {"regions": ["a"]}}, "spiking"),
        ({"spiking": [{}]}, "spiking.0.regions"),
        ({"spiking": [{"regions": []}]}, "spiking.0.regions"),
        (
            {"spiking": [{"regions": ["a"], "drive": {"correlation": 1.1}}]},
            "spiking.0.drive.correlation",
        ),
        (
            {"spiking": [{"regions": ["a"], "drive": {"targets": ["../x"]}}]},
            "spiking.0.drive.targets.0",
        ),
        ({"stand_in": {"kind": "constant", "hz": "many"}}, "stand_in.hz"),
        ({"stand_in": {"kind": "oracle"}}, "stand_in"),
        ({"tvb": {"model": {"parameters": {"a": float("nan")}}}}, "tvb.model.parameters.a"),
        ({"tvb": {"monitors": []}}, "tvb.monitors"),
        ({"tvb": {"initial": {"I": [0.01]}}}, "tvb.initial.I.1"),
        ({"resources": {"nest": {"ranks": 0}}}, "resources.nest.ranks"),
        ({"adex": {"transfer_function": {"P_e": [1.0]}}}, "adex.transfer_function.P_e"),
        ({1: 2}, "1"),
    ],
)
def test_a_wrong_value_is_one_fault_at_its_key(tree: dict[Any, Any], path: str) -> None:
    assert list(faults_of(parse, tree)) == [path]


def test_the_message_says_what_was_got_and_expected() -> None:
    message = faults_of(parse, {"window": {"length_ms": "long"}})["window.length_ms"]
    assert "valid number" in message
    assert "'auto'" in message
    assert message.endswith("got 'long'")


def test_long_values_are_cut_short() -> None:
    message = faults_of(parse, {"duration_ms": "x" * 10_000})["duration_ms"]
    assert len(message) < 250


def test_all_faults_come_at_once(write: Callable[..., Path]) -> None:
    text = """
        duratoin_ms: 5
        dt_ms: fast
        spiking:
          - regions: [rHC]
          - regions: [lHC]
            drive: {kind: sparks, weihgt: 1}
    """
    found = faults_of(load_experiment, write(text))
    assert set(found) == {"duratoin_ms", "dt_ms", "spiking.1.drive.kind", "spiking.1.drive.weihgt"}
    assert "weight" in found["spiking.1.drive.weihgt"]


def test_overrides_set_values_deep_in_the_tree(write: Callable[..., Path]) -> None:
    path = write("spiking:\n  - regions: [rHC]\n  - regions: [lHC]\n")
    overrides = [
        "duration_ms=5",
        "spiking.1.drive.kind=mip",
        "spiking.1.regions=[lA1, lA2]",
        "window.length_ms=auto",
        "name=a=b",
    ]
    experiment = load_experiment(path, overrides)
    assert experiment.duration_ms == 5.0
    assert experiment.spiking[0].drive.kind == "poisson"
    assert experiment.spiking[1].drive.kind == "mip"
    assert experiment.spiking[1].regions == ["lA1", "lA2"]
    assert experiment.name == "a=b"


def test_overrides_leave_the_tree_alone() -> None:
    tree = {"spiking": [{"regions": ["rHC"]}]}
    apply_overrides(tree, ["spiking.0.regions.0=lHC", "seed=3"])
    assert tree == {"spiking": [{"regions": ["rHC"]}]}


@pytest.mark.parametrize(
    ("override", "path", "text"),
    [
        ("duration_ms", "--set", "not of the form key.path=value"),
        ("=5", "--set", "not of the form key.path=value"),
        ("spiking.7.regions=[a]", "--set spiking.7.regions", "there is no item 7"),
        ("spiking.-1.regions=[a]", "--set spiking.-1.regions", "no item -1"),
        ("spiking.first.regions=[a]", "--set spiking.first.regions", "first"),
        ("spiking=[a", "--set spiking", "[a"),
        ("spiking.0.regions.0.name=x", "--set spiking.0.regions.0.name", "is a value"),
    ],
)
def test_bad_overrides_are_named(override: str, path: str, text: str) -> None:
    found = faults_of(apply_overrides, {"spiking": [{"regions": ["rHC"]}]}, [override])
    assert list(found) == [path]
    assert text in found[path]


def test_all_bad_overrides_come_at_once() -> None:
    with pytest.raises(ExperimentError) as caught:
        apply_overrides({}, ["a", "b", "c=["])
    assert len(caught.value.faults) == 3


def test_overrides_are_checked_like_the_file(write: Callable[..., Path]) -> None:
    found = faults_of(load_experiment, write("seed: 1"), ["duration_ms=-5", "windw.length_ms=3"])
    assert set(found) == {"duration_ms", "windw"}


BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 30)
)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"a: [1", "not valid YAML"),
        (b"a: b: c", "not valid YAML"),
        (b"!!python/object/apply:os.system ['true']", "not valid YAML"),
        (b"[" * 100_000, "not valid YAML"),
        (b"\xff\xfe\x00", "not a text file in UTF-8"),
        (b"", "is empty, expected keys and values"),
        (b"- a\n- b\n", "holds list"),
        (b"just text", "holds str"),
        (BOMB.encode(), "values with its aliases written out"),
        (b"a: &a [*a]\n", "values with its aliases written out"),
        (b"a: &a {b: *a}\n", "values with its aliases written out"),
        (b"#" * (MAX_FILE_BYTES + 1), "limit"),
    ],
)
def test_what_is_no_experiment_file_is_refused_in_one_sentence(
    write: Callable[..., Path], text: bytes, says: str
) -> None:
    found = faults_of(load_experiment, write(text))
    assert list(found) == [""]
    assert says in found[""]


def test_aliases_are_fine_where_they_help(write: Callable[..., Path]) -> None:
    text = (
        "spiking:\n- regions: [rHC]\n  rate: &rate {width_ms: 5}\n- {regions: [lHC], rate: *rate}"
    )
    experiment = load_experiment(write(text))
    assert [group.rate.width_ms for group in experiment.spiking] == [5.0, 5.0]


LINED = """\
# a comment
name: lines
spiking:
  - regions: [rHC]
  - regions:
      - lHC
      - lA1
    drive: {kind: sparks}
adex:
  neurons: few
tvb: &tvb
  model: {name: X}
"""


@pytest.mark.parametrize(
    ("path", "overrides", "line"),
    [
        ("name", [], 2),
        ("spiking", [], 3),
        ("spiking.0", [], 4),
        ("spiking.1.regions.1", [], 7),
        ("spiking.1.drive.kind", [], 8),
        ("spiking.1.rate.width_ms", [], 5),
        ("spiking.7.regions", [], 3),
        ("adex.neurons", ["adex.neurons=5"], None),
        ("adex.neurons.deeper", ["adex.neurons=5"], None),
        ("adex.neurons", ["adex.neuron=5", "adex.n=1"], 10),
        ("tvb.model.name", [], 12),
        ("seed", [], None),
        ("nest", [], None),
        ("", [], None),
        ("--set adex.neurons", [], None),
    ],
)
def test_a_fault_names_its_line_or_that_of_the_nearest_part(
    path: str, overrides: list[str], line: int | None
) -> None:
    with pytest.raises(ExperimentError) as caught, lines_of(LINED, overrides):
        raise ExperimentError.single(path, "wrong", "trace")
    assert caught.value.faults == (Fault(path, "wrong", "trace", line),)


def test_faults_of_a_file_name_the_file(write: Callable[..., Path]) -> None:
    path = write("seed: 1\nspiking:\n  - regions: [rHC]\n    drive: {kind: sparks}\n")
    with pytest.raises(ExperimentError) as caught, lines_of(path, ["seed=0"]):
        load_experiment(path, ["seed=0"])
    found = {fault.path: (fault.line, fault.file) for fault in caught.value.faults}
    assert found == {"spiking.0.drive.kind": (4, str(path)), "seed": (None, "")}


def test_text_that_is_not_yaml_has_a_line_but_no_places(write: Callable[..., Path]) -> None:
    path = write("seed: 1\nname: [\n")
    with pytest.raises(ExperimentError) as caught, lines_of(path):
        load_experiment(path)
    (fault,) = caught.value.faults
    assert (fault.line, fault.file) == (3, "")
    with pytest.raises(ExperimentError) as caught, lines_of("a: [", []):
        raise ExperimentError.single("a", "wrong")
    assert caught.value.faults == (Fault("a", "wrong"),)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    found = faults_of(load_experiment, tmp_path / "none.yaml")
    assert "No such file" in found[""]


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    assert "directory" in faults_of(load_experiment, tmp_path)[""]


def test_the_committed_schema_is_the_present_one() -> None:
    committed = (REPOSITORY / "docs" / "experiment.schema.json").read_text(encoding="utf-8")
    current = json.dumps(experiment_schema(), indent=2) + "\n"
    assert committed == current, "docs/experiment.schema.json is out of date; run `make schema`"


def test_every_field_is_described() -> None:
    schema = experiment_schema()
    parts = {"Experiment": schema, **schema["$defs"]}
    bare = [
        f"{part}.{name}"
        for part, tree in parts.items()
        for name, field in tree.get("properties", {}).items()
        if not field.get("description")
    ]
    assert not bare


@pytest.mark.parametrize("path", EXPERIMENTS, ids=str)
def test_examples_are_valid(path: Path) -> None:
    tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert parse(tree).name == tree["name"]


def test_one_key_of_a_cell_changes_one_value() -> None:
    """The defaults of inhibitory cells are their own, not those of excitatory ones."""
    plain = parse({"adex": {}}).adex
    changed = parse({"adex": {"inhibitory": {"E_L_mV": -70.0}}}).adex
    assert plain is not None
    assert changed is not None
    assert changed.inhibitory == plain.inhibitory.model_copy(update={"E_L_mV": -70.0})
    assert plain.inhibitory.Delta_T_mV != plain.excitatory.Delta_T_mV
