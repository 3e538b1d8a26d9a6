"""A judge on a real OpenAI-compatible server is `tests/review/test_judging.py`'s; here is what the page adds to it."""

import time

import pytest

from finetune.errors import FinetuneError
from finetune.inference.backends import ScriptedBackend
from finetune.review import judging
from finetune.review.evaluation import FOLDER
from tests.review import evaluations
from ui.evaluate import judge_panel
from ui.evaluate.background import JUDGE, Background


def test_what_a_judge_says_is_kept_beside_the_replies_and_read_again(services, monkeypatch):
    folder = evaluations.lay_out(services.home / FOLDER / "test-1")
    monkeypatch.setattr(judge_panel, "RemoteBackend", lambda url, model: ScriptedBackend("A"))
    background = Background(services.home, services.backend)
    job = judge_panel.judge(services, background, "evaluations/test-1", "a-judge", "http://localhost:1/v1", "en")
    end = time.monotonic() + 60
    while not job.over and time.monotonic() < end:
        time.sleep(0.02)
    assert job.over and job.error is None and job.progress.stage == judge_panel.STAGE
    assert job.kind == JUDGE and job.whole and job.pace.share == 1.0
    told = judging.read(folder)
    assert (told["judge"], told["judged"], told["tie"]) == ("a-judge", told["pairs"], told["pairs"])
    assert told["pairs"] > 0 and told["first_rate"] == 1.0  # it always named the first


@pytest.mark.parametrize("name", ["reviews/../../elsewhere", "reviews/none", "evaluations/none"])
def test_only_sets_and_evaluations_that_are_there_can_be_judged(services, name):
    with pytest.raises(FinetuneError):
        judge_panel.folder_of(services.home, name)
