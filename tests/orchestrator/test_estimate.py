"""Memory and disk that a run takes, and the report of a plan that the server answers with."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator_cases import ADEX, EXPLICIT, changed, planned_of
from tvb_nest_cosim.orchestrator.planning.estimate import (
    NEURON_BYTES,
    PROCESS_BYTES,
    SYNAPSE_BYTES,
)
from tvb_nest_cosim.orchestrator.server.plan_report import PlanReport


def report_of(tree: dict[str, Any]) -> PlanReport:
    return PlanReport.of(planned_of(tree))


def test_timing_in_ticks_and_ms() -> None:
    report = report_of(ADEX)
    assert (report.window_ticks, report.window_ms, report.lookahead) == (15, 1.5, 2)
    assert (report.limit_ticks, report.limit_ms, report.window_count) == (30, 3.0, 67)
    assert report.limit_edge is not None
    assert "from gamma to alpha of 3 mm" in report.limit_edge
    assert report.processes == 3


def test_regions_and_tracts() -> None:
    report = report_of(ADEX)
    region = report.regions[1]
    assert (region.name, region.index, region.drive, region.hop_ms) == ("beta", 1, "poisson", 0.1)
    assert (region.synapses, region.weight, region.limit_ms) == (50, 1.5, 3.0)
    tract = report.tracts[0]
    assert (tract.source, tract.target, tract.delay_ms) == ("beta", "alpha", 3.1)


def test_nothing_limits_a_simulator_alone() -> None:
    report = report_of(changed(ADEX, simulators="nest", stand_in={"kind": "constant"}))
    assert (report.limit_ticks, report.limit_ms, report.limit_edge) == (None, None, None)
    assert report.regions[0].limit_ms is None


def test_memory_of_a_rank_is_its_share() -> None:
    def rank_bytes(**nest: object) -> int:
        report = report_of(changed(ADEX, resources={"nest": nest}))
        assert report.nest_rank_bytes is not None
        return report.nest_rank_bytes - PROCESS_BYTES["nest"]

    whole = rank_bytes()
    assert rank_bytes(ranks=4) == whole / 4
    two_kernels = changed(
        ADEX, resources={"nest": {"kernels": "per_region"}}, spiking__0__tracts={"mode": "none"}
    )
    report = report_of(two_kernels)
    # without the 25 synapses from the other region
    own = 100 * (NEURON_BYTES + (20 + 1) * SYNAPSE_BYTES)
    assert report.nest_rank_bytes == PROCESS_BYTES["nest"] + own


def test_memory_counts_neurons_and_synapses() -> None:
    report = report_of(ADEX)
    # 100 neurons: in-degree 20 inside, 25 from the other spiking region, 1 from the device
    expected = 100 * (NEURON_BYTES + (20 + 25 + 1) * SYNAPSE_BYTES)
    amounts = {amount.what: amount.bytes for amount in report.memory}
    assert amounts["NEST: 100 neurons of alpha, 46 synapses each"] == expected
    assert report.memory_bytes == sum(amounts.values())


def test_disk_grows_with_what_is_recorded() -> None:
    little = report_of(ADEX)
    spikes_off = report_of(changed(ADEX, spiking__0__record__spikes=False))
    analog = changed(ADEX, spiking__0__record__analog=[{"population": "excitatory"}])
    raw = changed(ADEX, tvb__monitors=[{"name": "Raw"}])
    assert spikes_off.disk_bytes < little.disk_bytes
    assert report_of(analog).disk_bytes > little.disk_bytes
    assert report_of(raw).disk_bytes > little.disk_bytes
    # in the journal and, larger, in the file: 20 Hz of 200 neurons for 0.1 s
    assert little.disk_bytes - spikes_off.disk_bytes == pytest.approx((6 + 16) * 20 * 200 * 0.1)
    # two copies of 1000 samples of a time and four regions
    amount = next(a for a in report_of(raw).disk if a.what == "TVB: Raw")
    assert amount.bytes == pytest.approx(2 * 1000 * 8 * 5)


def test_what_is_not_estimated_is_said() -> None:
    assert "neurons of alpha, beta are not known" in report_of(EXPLICIT).warnings[-1]


def test_reports_survive_json() -> None:
    text = report_of(ADEX).model_dump_json()
    assert '"memory_bytes":' in text
    assert '"processes":3' in text
