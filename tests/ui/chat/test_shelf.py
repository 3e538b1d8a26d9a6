"""The shelf's words are there in both languages, and its script says nothing that is not among them."""

import re

from finetune.recipe import ROOT
from ui.chat import shelf
from ui.wording_chat import SHELF


def test_every_word_that_the_script_says_has_both_languages():
    script = (ROOT / "assets" / "chat.js").read_text(encoding="utf-8")
    said = set(re.findall(r"\bsay\.(\w+)", script))
    assert said == set(SHELF)
    assert set(shelf.WORDS) == {"bn", "en"}
    assert all(text.strip() for words in shelf.WORDS.values() for text in words.values())


def test_the_store_has_a_fixed_place_in_the_browser_and_is_locked_with_the_browsers_key(services):
    import gradio as gr

    with gr.Blocks():
        built = shelf.build(services, gr.Textbox())
    assert (built.store.storage_key, built.store.secret) == ("shohomormi_conversations", services.browser_key)
