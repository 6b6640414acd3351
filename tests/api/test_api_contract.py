"""The OpenAPI document, and requests made from it: no answer is an error of the server."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode

from api.conftest import Served
from api.fake_ensemble import TINY
from tvb_nest_cosim.orchestrator.server.schemas import NewRunBody

EXAMPLES = 8


@pytest.fixture(autouse=True)
def _nothing_left_behind() -> None:
    """Does not look: the server of this module keeps idle threads from test to test."""


@pytest.fixture(scope="module")
def document(shared: Served) -> schemathesis.BaseSchema:
    headers = {"Authorization": f"Bearer {shared.access.token}"}
    url = f"{shared.address}/api/v1/openapi.json"
    return schemathesis.openapi.from_url(url, headers=headers)


def test_no_request_makes_a_server_error(
    document: schemathesis.BaseSchema, shared: Served, finished: str
) -> None:
    operations = [result.ok() for result in document.get_all_operations()]
    assert len(operations) > 25
    for operation in operations:
        _attack(operation, shared, finished)


def _attack(operation: Any, shared: Served, finished: str) -> None:
    """Sends requests that the document allows, and some that it does not, to one operation."""
    is_stream = operation.path.endswith("/events")
    headers = {"Authorization": f"Bearer {shared.access.token}"}

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=st.one_of(*(operation.as_strategy(mode) for mode in GenerationMode)))
    def send(case: schemathesis.Case) -> None:
        # A run that has ended, so that its stream ends too; a name of no run half of the time.
        is_reading = case.method == "GET" and isinstance(case.path_parameters, dict)
        if is_stream or (is_reading and "run" in case.path_parameters and case.query):
            case.path_parameters["run"] = finished
        answer = case.call(headers=headers, timeout=30)
        assert answer.status_code < 500, (case.as_curl_command(), answer.text)

    send()


def test_document_is_complete(shared: Served) -> None:
    tree = shared.client._http.get("/api/v1/openapi.json").json()
    for path, methods in tree["paths"].items():
        for method, operation in methods.items():
            assert operation["tags"], (method, path)
            assert operation.get("summary"), (method, path)
            assert operation.get("description"), (method, path)
    assert tree["components"]["schemas"]["NewRunBody"]["examples"]


def test_examples_of_the_document_are_true(shared: Served) -> None:
    for body in NewRunBody.model_config["json_schema_extra"]["examples"]:  # type: ignore
        answer = shared.client._http.post("/api/v1/validate", json=body)
        assert answer.json()["valid"], answer.text


def test_experiment_that_was_shown_can_be_sent_again(shared: Served, finished: str) -> None:
    path = f"/api/v1/runs/{finished}/experiment"
    text = shared.client._http.get(path).text
    tree = shared.client._http.get(path, headers={"Accept": "application/json"}).json()
    assert tree == yaml.safe_load(text)
    assert shared.client.validate(text).experiment == tree
    assert shared.client.validate(text).valid
    assert shared.client.validate(TINY).valid
