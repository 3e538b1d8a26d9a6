"""What other programs may do, without a server: the endpoints' own rules."""

import gradio as gr
import pytest

from finetune.recipe import Recipe
from finetune.training import jobs, metrics
from ui import endpoints, wording
from ui.services import DEMO


class English:
    """A request from somebody who reads English."""

    cookies = {"shohomormi_language": "en"}
    headers = {}
    session_hash = "test"


class Bengali(English):
    """A request from somebody who reads Bengali."""

    cookies = {"shohomormi_language": "bn"}


@pytest.fixture
def api(services):
    """The endpoints by their names."""
    with gr.Blocks() as page:
        endpoints.add(services)
    return {function.api_name: function.fn for function in page.fns.values()}


@pytest.fixture
def started(monkeypatch, run):
    """Collects the recipes that would be trained, in place of a child process."""
    recipes = []
    monkeypatch.setattr(jobs, "start", lambda home, recipe: recipes.append(recipe) or run)
    return recipes


def test_a_run_is_started_with_the_settings_given_and_its_name_returned(api, started, run):
    assert api["start_training"](English(), DEMO, {"training.max_steps": 30, "adapter.r": 8}) == run.name
    assert (started[0].training.max_steps, started[0].adapter.r) == (30, 8)


@pytest.mark.parametrize(
    "name",
    [
        "data.source",
        "base.model",
        "tracking.report_to",
        "name",
        "data.system_prompt",
        "training",
        "training.sample_prompts",
    ],
)
def test_a_setting_outside_the_open_sections_is_refused_by_name(api, started, name):
    with pytest.raises(gr.Error) as caught:
        api["start_training"](English(), DEMO, {name: "x", "training.max_steps": 30})
    assert caught.value.message.startswith(f"{name}: ")
    assert started == []


def test_a_refused_setting_is_told_in_bengali_to_those_who_read_bengali(api, started):
    with pytest.raises(gr.Error) as caught:
        api["start_training"](Bengali(), DEMO, {"data.source": "x"})
    assert "another program" not in caught.value.message


def test_only_the_recipes_that_ship_can_be_started_from_another_program(api, started, tmp_path):
    """Else a file sent to the server beforehand could name any model, data or tracker."""
    recipe = tmp_path / "mine.yaml"
    recipe.write_text(Recipe.read(DEMO).with_settings({"data.source": "/etc/passwd"}).to_yaml(), encoding="utf-8")
    with pytest.raises(gr.Error):
        api["start_training"](English(), str(recipe), {})
    assert started == []


def test_an_unknown_recipe_is_one_sentence_that_names_the_known_ones(api, started):
    with pytest.raises(gr.Error) as caught:
        api["start_training"](English(), "no-such-recipe", {})
    assert "llama-3.1-8b" in caught.value.message
    assert "\n" not in caught.value.message


def test_the_status_of_a_run_has_the_last_value_of_everything_measured(api, run):
    run.set_status(state="training", step=2, total_steps=10)
    for line in ({"step": 1, "loss": 2.0, "elapsed_s": 1.0}, {"step": 2, "eval_loss": 1.5, "elapsed_s": 2.0}):
        metrics.append(run.folder, line)
    assert api["training_status"](English(), run.name) == {
        "run": run.name,
        "state": "training",
        "position": 0,
        "step": 2,
        "total_steps": 10,
        "error": "",
        "metrics": {"step": 2, "loss": 2.0, "eval_loss": 1.5, "elapsed_s": 2.0},
    }


@pytest.mark.parametrize("endpoint", ["training_status", "stop_training"])
@pytest.mark.parametrize("name", ["nobody-001", "../../etc", ""])
def test_a_run_that_does_not_exist_is_one_sentence(api, endpoint, name):
    with pytest.raises(gr.Error) as caught:
        api[endpoint](Bengali(), name)
    assert "নামে কোনো রান নেই" in caught.value.message


def test_stop_leaves_a_request_with_a_run_that_is_under_way(api, run):
    assert api["stop_training"](English(), run.name) == run.name
    assert run.stop_request.exists()


def test_stopping_a_run_that_has_ended_is_one_sentence(api, run):
    run.set_status(state="finished")
    with pytest.raises(gr.Error) as caught:
        api["stop_training"](Bengali(), run.name)
    assert caught.value.message == f"{run.name} এখন চলছে না।"
    assert not run.stop_request.exists()


def test_chat_yields_the_reply_alone_and_gives_the_history_to_the_model(api, services):
    history = [{"role": "user", "content": "আজ মনটা খারাপ।"}, {"role": "assistant", "content": "কী হয়েছে?"}]
    assert list(api["chat"](English(), "চাকরিটা গেছে।", history))[-1] == "কষ্টটা আমি বুঝতে পারছি।"
    assert services.backend.asked[0][0].messages == [*history, {"role": "user", "content": "চাকরিটা গেছে।"}]


def test_an_empty_message_is_one_sentence_in_chat_as_in_compare(api, services):
    for endpoint in ("compare", "chat"):
        with pytest.raises(gr.Error) as caught:
            list(api[endpoint](Bengali(), " \n"))
        assert caught.value.message == wording.ERRORS_BN["compare.empty"]
    assert services.backend.asked == []


def test_the_defaults_of_the_endpoints_are_the_recipes(api, services):
    list(api["chat"](English(), "আজ মনটা খারাপ।"))
    settings = services.backend.asked[0][0].settings
    shown = Recipe.read(DEMO).generation
    assert (settings.temperature, settings.top_p, settings.max_new_tokens) == (
        shown.temperature,
        shown.top_p,
        shown.max_new_tokens,
    )
