"""The form of a new run: what the planner says appears where the fault is."""

from __future__ import annotations

from web.conftest import Visitor, until


def test_faults_appear_with_key_path_and_line_while_typing(visitor: Visitor) -> None:
    page = visitor.sign_in()
    page.locator(".verdict[data-state=valid]").get_by_text("3.7 ms \u00d7 271").wait_for()
    assert "566 MB" in page.locator(".verdict").inner_text()
    editor = page.get_by_label("Experiment in YAML")
    text = editor.input_value()
    editor.fill(text.replace("seed: 1", "seed: -1").replace("p_connect: 0.4", "p_conect: 0.4"))
    page.locator(".verdict[data-state=invalid]").get_by_text("2 faults").wait_for()
    faults = page.locator(".faults li").all_inner_texts()
    line = text.split("\n").index("seed: 1") + 1
    assert any(fault.startswith(f"seed (line {line})") for fault in faults), faults
    assert any("did you mean p_connect" in fault for fault in faults), faults
    assert page.locator(".line-faulty").first.inner_text() == str(line)
    assert page.get_by_role("button", name="Start").is_disabled()
    page.locator(".faults button").first.click()
    assert (
        editor.evaluate("area => area.value.slice(0, area.selectionStart).split('\\n').length")
        == line
    )
    editor.fill(text)
    page.locator(".verdict[data-state=valid]").wait_for()
    assert page.locator(".line-faulty").count() == 0
    assert page.get_by_role("button", name="Start").is_enabled()


def test_a_fault_of_a_field_is_shown_at_the_field(visitor: Visitor) -> None:
    page = visitor.sign_in()
    page.locator(".verdict[data-state=valid]").wait_for()
    field = page.locator("[name=duration_ms]")
    field.fill("-5")
    page.get_by_text("duration_ms (field)").click()
    assert field.get_attribute("aria-invalid") == "true"
    assert field.evaluate("element => element === document.activeElement")
    assert page.locator(".line-faulty").count() == 0, "the YAML is not at fault"
    page.get_by_role("button", name="Clear all").click()
    page.locator(".verdict[data-state=valid]").wait_for()


def test_text_that_is_no_yaml_is_told(visitor: Visitor) -> None:
    page = visitor.sign_in()
    page.locator(".verdict[data-state=valid]").wait_for()
    page.get_by_label("Experiment in YAML").fill("spiking: [")
    page.locator(".faults").get_by_text("not valid YAML").wait_for()


def test_fields_show_what_the_yaml_says(visitor: Visitor) -> None:
    page = visitor.sign_in()
    page.locator(".verdict[data-state=valid]").wait_for()
    page.locator("#preset").select_option("mouse_ca1_async")
    names = page.locator("[name='spiking.0.regions']")
    wanted = "Right_Field_CA1, Left_Field_CA1"
    until(lambda: names.get_attribute("placeholder") == wanted, "regions of the preset")
    assert page.locator("[name='adex.neurons']").get_attribute("placeholder") == "10000"
    assert page.locator("[name='spiking.0.drive.kind'] option").first.inner_text() == "mip (YAML)"
    assert page.locator("[name='resources.nest.threads']").get_attribute("placeholder") == "2"


def test_what_was_typed_outlives_a_look_at_other_pages(visitor: Visitor) -> None:
    page = visitor.sign_in()
    page.locator(".verdict[data-state=valid]").wait_for()
    page.get_by_label("Experiment in YAML").fill("name: mine\nsimulators: tvb\n")
    page.locator("[name=seed]").fill("7")
    visitor.go("#/runs")
    visitor.go("#/new")
    page.locator(".verdict[data-state=valid]").wait_for()
    assert page.get_by_label("Experiment in YAML").input_value().startswith("name: mine")
    assert page.locator("[name=seed]").input_value() == "7"


def test_page_says_where_runs_take_place(visitor: Visitor) -> None:
    page = visitor.sign_in()
    page.get_by_text("Runs on the machine of this server").wait_for()
