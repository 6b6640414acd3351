"""Numbers of a server for Prometheus."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from tvb_nest_cosim.orchestrator.server.service import Service


class _Numbers(Collector):
    """Asks the server when Prometheus asks, so that nothing is counted meanwhile."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def collect(self) -> Iterator[Metric]:
        """Yields the metrics."""
        service = self._service
        runs = GaugeMetricFamily("cosim_runs", "Runs by state.", labels=["state"])
        for state, count in service.store.counts().items():
            runs.add_metric([state.value], count)
        yield runs
        live = service.queue.live()
        windows = live.windows if live is not None else 0
        total = live.plan.grid.window_count if live is not None else 0
        busy = float(live is not None)
        agents = len(service.launcher.hosts(is_busy=live is not None))
        for name, text, value in (
            ("cosim_busy", "Whether a run is being carried out.", busy),
            ("cosim_current_windows", "Windows done by the present run.", float(windows)),
            ("cosim_current_windows_total", "Windows of the present run.", float(total)),
            ("cosim_event_listeners", "Open event streams.", float(service.hub.listeners())),
            ("cosim_agents", "Agents or roles that can take part in a run.", float(agents)),
        ):
            yield GaugeMetricFamily(name, text, value=value)


def exposition(service: Service) -> tuple[bytes, str]:
    """Returns the metrics as text, and its media type."""
    registry = CollectorRegistry()
    registry.register(_Numbers(service))
    return generate_latest(registry), CONTENT_TYPE_LATEST
