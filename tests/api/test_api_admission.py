"""Experiments that come over the network may name no code and no files but the server's own."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest

from api.conftest import EXAMPLES, Served
from api.fake_ensemble import TINY
from tvb_nest_cosim.cosim_core.client import ServerRefusal
from tvb_nest_cosim.cosim_core.errors import ExperimentError
from tvb_nest_cosim.orchestrator.launchers import agents
from tvb_nest_cosim.orchestrator.launchers.local import LOCAL
from tvb_nest_cosim.orchestrator.server.security import admission
from tvb_nest_cosim.orchestrator.server.settings import Settings

JSON = {"Content-Type": "application/json"}
CONSTANT = {"kind": "constant"}
NETWORK = {"regions": ["rHC"], "network": {"module": "os:system"}}


@pytest.fixture(autouse=True)
def _nothing_left_behind() -> None:
    """Does not look: the server of this module keeps idle threads from test to test."""


def faults(tree: dict[str, Any], settings: Settings) -> dict[str, str]:
    try:
        admission.admit(admission.read(tree, []), "x", settings, LOCAL)
    except ExperimentError as error:
        return {fault.path: fault.message for fault in error.faults}
    return {}


def changed(path: str, value: object) -> dict[str, Any]:
    return admission.plain(admission.read(TINY, [f"{path}={value}"]))


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("spiking.0.network.module", "os:system"),
        ("spiking.0.network.module", "tvb_nest_cosim.nest_service.networks:x"),
        ("spiking.0.network.module", "tvb_nest_cosim.nest_service.networks.../os:x"),
        ("spiking.0.network.module", "tvb_nest_cosim.nest_service.simulator:x"),
        ("spiking.0.drive.translator", "subprocess:Popen"),
        ("spiking.0.rate.translator", "/srv/evil:Class"),
        ("tvb.model.name", "evil:Model"),
        ("tvb.coupling.name", "evil:Coupling"),
        ("tvb.monitors.0.name", "evil:Monitor"),
        ("tvb.integrator.name", "evil:Integrator"),
    ],
)
def test_foreign_code_is_refused_at_its_key_path(settings: Settings, path: str, name: str) -> None:
    found = faults(changed(path, f"'{name}'"), settings)
    assert list(found) == [path]
    assert "may not be named over the network" in found[path] or "not of the form" in found[path]


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("connectome.source", "/etc/passwd"),
        ("connectome.source", "../token"),
        ("connectome.source", "sub/file.zip"),
        ("connectome.source", ".hidden.zip"),
        ("tvb.monitors.0.sensors", "/etc/passwd"),
        ("tvb.monitors.0.projection", "../../x"),
        ("tvb.monitors.0.region_mapping", "a\\b"),
    ],
)
def test_foreign_files_are_refused(settings: Settings, path: str, name: str) -> None:
    found = faults(changed(path, f"'{name}'"), settings)
    assert "without folders" in found[path]


@pytest.mark.parametrize(
    ("stand_in", "path"),
    [
        ({"kind": "file", "path": "/etc/passwd"}, "stand_in.path"),
        ({"kind": "file", "path": "../runs/x"}, "stand_in.path"),
        ({"kind": "journal", "run": "/var/runs/a"}, "stand_in.run"),
        ({"kind": "journal", "run": ".."}, "stand_in.run"),
    ],
)
def test_foreign_stand_ins_are_refused(
    settings: Settings, stand_in: dict[str, str], path: str
) -> None:
    tree = {**TINY, "simulators": "nest", "stand_in": stand_in}
    assert "without folders" in faults(tree, settings)[path]


def test_modules_of_the_plugin_path_may_be_named(settings: Settings, tmp_path: Path) -> None:
    settings.runs.mkdir(parents=True)
    plugins = tmp_path / "plugins"
    (plugins / "lab" / "nets").mkdir(parents=True)
    (plugins / "lab" / "nets" / "__init__.py").touch()
    (plugins / "lab" / "one.py").touch()
    (tmp_path / "outside.py").touch()
    allowed = settings.model_copy(update={"plugin_path": (plugins,)})
    # what the network needs to know for its drive is told, so that nothing else is wrong
    for name, is_allowed in {
        "lab.nets:build": True, "lab.one:build": True, "lab:build": False,
        "outside:build": False, "lab.two:build": False,
    }.items():  # fmt: skip
        tree = changed("spiking.0.network.module", f"'{name}'")
        found = faults(tree, allowed)
        assert ("spiking.0.network.module" not in found) is is_allowed, (name, found)
        assert faults(tree, settings)["spiking.0.network.module"]


def test_shipped_networks_and_words_may_be_named(settings: Settings) -> None:
    settings.runs.mkdir(parents=True)
    assert faults({**TINY, "name": "a: b", "description": "c:d"}, settings) == {}
    assert faults(changed("spiking.0.rate.translator", "elephant"), settings) == {}


def test_all_faults_are_told_at_once(shared: Served) -> None:
    tree = {**TINY, "duration_ms": -1, "dt_ms": "x", "nonsense": 1, "seed": 0}
    with pytest.raises(ExperimentError) as refusal:
        shared.client.create(tree)
    paths = {fault.path for fault in refusal.value.faults}
    assert paths == {"duration_ms", "dt_ms", "nonsense", "seed"}
    verdict = shared.client.validate(tree)
    assert not verdict.valid
    assert {fault.path for fault in verdict.faults} == paths
    assert shared.client.runs(search="nonsense").total == 0


FAULTY = """\
name: faulty
duration_ms: 20
connectome:
  source: /etc/passwd
"""


def test_faults_of_a_text_have_lines_but_those_of_a_tree_have_none(shared: Served) -> None:
    verdict = shared.client.validate(FAULTY, ["duration_ms=-1"])
    assert [(f.path, f.line) for f in verdict.faults] == [("duration_ms", None)]
    with pytest.raises(ExperimentError) as refusal:
        shared.client.create(FAULTY)
    assert [(f.path, f.line, f.file) for f in refusal.value.faults] == [
        ("connectome.source", 4, "")
    ]
    verdict = shared.client.validate({"connectome": {"source": "/etc/passwd"}})
    assert [(f.path, f.line) for f in verdict.faults] == [("connectome.source", None)]
    verdict = shared.client.validate("name: [\n")
    assert [(f.path, f.line) for f in verdict.faults] == [("", 2)]


def test_verdict_has_the_whole_experiment_if_it_can_be_read(shared: Served) -> None:
    verdict = shared.client.validate(FAULTY)
    assert verdict.experiment is not None
    assert verdict.experiment["seed"] == 1
    assert shared.client.validate(FAULTY, ["seed=0"]).experiment is None


def test_code_and_files_are_told_together(shared: Served) -> None:
    tree = {**TINY, "connectome": {"source": "/x"}, "spiking": [NETWORK]}
    with pytest.raises(ExperimentError) as refusal:
        shared.client.create(tree)
    paths = {fault.path for fault in refusal.value.faults}
    assert paths == {"connectome.source", "spiking.0.network.module"}


def test_valid_experiment_comes_with_its_plan(shared: Served) -> None:
    verdict = shared.client.validate(TINY, ["duration_ms=30"])
    assert verdict.valid
    assert verdict.plan is not None
    plan = verdict.plan.model_dump()
    assert plan["duration_ms"] == 30
    assert plan["window_count"] > 1


def test_faults_and_plans_do_not_show_folders_of_the_server(shared: Served) -> None:
    settings = shared.service.settings
    file = {"kind": "file", "path": "missing.csv"}
    journal = {"kind": "journal", "run": "missing"}
    for changes, message in (
        ({"connectome": {"source": "missing.zip"}}, "there is no file examples/missing.zip"),
        ({"simulators": "nest", "stand_in": file}, "there is no file examples/missing.csv"),
        ({"simulators": "nest", "stand_in": journal}, "there is no run directory runs/missing"),
        ({}, ""),
    ):
        verdict = shared.client.validate({**TINY, **changes})
        assert verdict.valid == (not message)
        assert message in "".join(fault.message for fault in verdict.faults)
        text = verdict.model_dump_json()
        for folder in (settings.home, EXAMPLES, tempfile.gettempdir()):
            assert str(folder) not in text


def test_a_missing_connectome_is_reported_with_all_other_faults(shared: Served) -> None:
    tree = {**TINY, "connectome": {"source": "missing"}, "duration_ms": 20.05, "stand_in": CONSTANT}
    paths = {fault.path for fault in shared.client.validate(tree).faults}
    assert paths == {"connectome.source", "duration_ms", "stand_in"}


BOMB = "a: &a [1,1,1,1,1,1,1,1,1,1]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [{','.join(['*' + chr(97 + i)] * 10)}]\n" for i in range(8)
)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"yaml": BOMB}, "more than"),
        ({"yaml": "a: [" * 1500}, "YAML"),
        ({"yaml": "!!python/object/apply:os.system [echo]"}, "YAML"),
        ({"yaml": "- 1"}, "expected keys and values"),
        ({"experiment": TINY, "overrides": ["adex=" + "[" * 1500]}, "adex"),
        ({"experiment": {**TINY, "duration_ms": 1e308}}, ""),
        ({"experiment": {**TINY, "dt_ms": 1e-300}}, ""),
        ({"experiment": {**TINY, "name": "\ud800"}}, "not text"),
        ({"experiment": {**TINY, "name": "a\x00"}}, "character 0"),
        ({"experiment": TINY, "yaml": "a: 1"}, "one of them"),
        ({}, "one of them"),
        ({"experiment": TINY, "label": "x" * 201}, "200"),
        ({"experiment": TINY, "nonsense": 1}, "xtra"),
        ({"yaml": "a" * 300_000}, "262144"),
    ],
)
def test_hostile_bodies_are_refused_in_a_sentence(
    shared: Served, body: dict[str, Any], told: str
) -> None:
    answer = shared.client._http.post("/api/v1/runs", content=json.dumps(body), headers=JSON)
    assert answer.status_code == 422, answer.text
    assert told in answer.text


@pytest.mark.parametrize("content", [b"", b"{", b"[" * 100_000, b"\xff", b"null", b'{"yaml": NaN}'])
def test_what_is_no_json_is_refused(shared: Served, content: bytes) -> None:
    answer = shared.client._http.post("/api/v1/validate", content=content, headers=JSON)
    assert answer.status_code in (400, 422)
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("value", [".nan", "!!binary aGk=", "!!set {a, b}", "2020-01-01", "1e400"])
def test_odd_yaml_values_in_free_places_do_no_harm(shared: Served, value: str) -> None:
    text = (
        "adex: {neurons: 50}\nspiking:\n- regions: [rHC]\n"
        f"  network: {{parameters: {{odd: {value}}}}}\n"
    )
    answer = shared.client._http.post("/api/v1/runs", json={"yaml": text})
    assert answer.status_code in (201, 422), answer.text


def test_build_goes_to_agents_where_runs_do(
    start: Any, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agents, "AWAIT_S", 0.1)
    with start(settings, agents.AgentsLauncher("tcp://127.0.0.1:*", None)) as served:
        verdict = served.client.validate(TINY, build=True)
        assert "no free agent for nest" in verdict.faults[0].message
        assert list(served.service.settings.runs.iterdir()) == []


def test_build_is_refused_while_a_run_goes_on(shared: Served) -> None:
    for run in shared.client.runs(limit=500).items:
        shared.client.wait(run.id)
    with (
        shared.service.queue.idle(),
        pytest.raises(ServerRefusal, match="a run goes on") as refusal,
    ):
        shared.client.validate(TINY, build=True)
    assert refusal.value.status == 409
