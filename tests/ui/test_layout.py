"""The page as it is built: its tabs, its one queue for the model, and what it keeps to itself."""

import pytest

from finetune.inference.backends import ScriptedBackend
from ui import layout
from ui.layout_parts import MODEL_SLOTS
from ui.services import Services


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    return layout.build(Services(tmp_path_factory.mktemp("home"), ScriptedBackend("হুম।")))


def test_the_page_has_its_four_tabs_in_the_order_of_the_work(page):
    tabs = [block["props"] for block in page.get_config_file()["components"] if block["type"] == "tabitem"]
    assert [tab["id"] for tab in tabs] == [
        "train",
        "new",
        "watch",
        "all",
        "compare",
        "play",
        "pairs",
        "review",
        "verdict",
        "evaluate",
        "ask",
        "figures",
        "replies",
        "judge",
        "chat",
    ]


def test_help_is_one_quiet_line_away_in_every_tab_and_on_every_page_and_no_page_shows_it_twice(page):
    config = page.get_config_file()
    properties = {block["id"]: block["props"] for block in config["components"]}

    def places(node, within):
        """The tab or page of every fold with the helplines."""
        own = properties.get(node["id"], {})
        within = own["id"] if own.get("id") in ("train", "compare", "evaluate", "chat") else within
        folded = "help-fold" in (own.get("elem_classes") or [])
        return sum((places(child, within) for child in node.get("children") or []), [within] if folded else [])

    found = [place for route, one in config["page"].items() for place in places(one["layout"], route)]
    assert found == ["train", "compare", "evaluate", "chat", "review", "privacy"]


def test_other_programs_see_the_endpoints_of_the_contract_and_nothing_else(page):
    assert set(page.get_api_info()["named_endpoints"]) == {
        "/chat",
        "/compare",
        "/next_pair",
        "/vote",
        "/start_training",
        "/training_status",
        "/stop_training",
    }
    assert page.get_api_info()["unnamed_endpoints"] == {}


def test_whoever_asks_the_model_waits_in_the_same_queue(page):
    waiting = [function for function in page.fns.values() if function.concurrency_id == "model"]
    assert len(waiting) == 9  # two endpoints, twice compare, five times chat
    assert {function.concurrency_limit for function in waiting} == {MODEL_SLOTS}


def test_nothing_is_fetched_from_elsewhere_and_nothing_is_told_to_others(page):
    assert page.analytics_enabled is False
    assert page.theme is None or not page.theme._stylesheets
    assert not layout.launch_settings()["theme"]._stylesheets
    assert "http" not in layout.launch_settings()["head"]


def test_the_browser_does_not_keep_what_people_write():
    assert layout.launch_settings()["run_history"] is False


def test_two_pages_can_be_built_in_one_process_without_sharing_state(page, tmp_path):
    other = Services(tmp_path, ScriptedBackend("হুম।"))
    assert layout.build(other) is not page
    assert not other.replies.busy("ক/chat")
