"""No string reaches a person in English alone: neither through a widget nor in the HTML that the server writes.

What the browser finally shows, Gradio's own words among it, is read in `tests/browser/test_accessibility.py`.
"""

import ast
import glob
import json
import re
from pathlib import Path

import gradio as gr
import pytest

from finetune.inference.backends import ScriptedBackend
from finetune.recipe import ROOT, Recipe
from tests.english import english_in
from ui import layout, wording, wording_gradio
from ui.services import Services

SHOWN = ("label", "info", "placeholder", "title", "headers", "choices", "examples", "samples")
"""Properties of a component that a person reads or hears, whatever it is."""

SAYING = ("button", "uploadbutton", "markdown", "html", "downloadbutton")
"""Components whose value is a text of ours."""

WIDGETS = ("Button", "UploadButton", "Markdown", "HTML", "Accordion", "Tab", "Info", "Warning", "Error", "Checkbox")
"""Whose first argument, too, is shown."""


PROMPT = Recipe.read("demo").data.system_prompt
"""What the model is told first is in English, as it was in training."""


def marked(value):
    """A property without what is a key of ours, and the keys; Gradio writes them as an object or into a string."""
    keys = []

    def key_of(found):
        keys.append(json.loads(found[1])["key"])
        return ""

    text = json.dumps(value, ensure_ascii=False, default=str)
    text = re.sub(
        r'\{"__type__": "translation_metadata", "key": "([^"]+)"\}', lambda m: keys.append(m[1]) or '""', text
    )
    text = re.sub(r"__i18n__(\{.*?\})", key_of, text.replace('\\"', '"'))
    return text, keys


def shown_by(page):
    """(where, what is left of the text, keys) of every property that is shown."""
    found = []
    for block in page.get_config_file()["components"]:
        properties = block["props"]
        if block["type"] == "api":  # endpoints for other programs
            continue
        names = [name for name in SHOWN if properties.get(name)]
        said = properties.get("value")
        template = isinstance(said, dict) and "key" not in said  # what is put into a page's own template
        names += ["value"] if block["type"] in SAYING and said and not template else []
        for name in names:
            value = properties[name]
            if name == "choices":  # what is shown, not what is sent
                value = [shown for shown, _ in value]
            if block["type"] == "chatbot" and name == "examples":
                value = [one["text"] for one in value]
            place = f"{block['type']} {properties.get('elem_id') or properties.get('label') or ''}.{name}"
            found.append((place, *marked(value)))
    return found


def written_in(source):
    """(line, text) of every constant in a source that a widget shows, or that stands between or in tags of HTML."""
    nodes = list(ast.walk(ast.parse(source)))
    pieces = {part for node in nodes if isinstance(node, ast.JoinedStr) for part in node.values}
    found = []
    for node in nodes:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            given = [word.value for word in node.keywords if word.arg in SHOWN]
            given += node.args[:1] if node.func.attr in WIDGETS else []
            found += [(part.lineno, part.value) for one in given for part in constants(one)]
        if isinstance(node, ast.Constant | ast.JoinedStr) and node not in pieces:
            html = text_of(node)
            if re.search(r"</?[a-z]+[ >]", html) and "<script" not in html:
                heard = re.findall(r'(?:title|aria-label|alt|placeholder)="([^"]*)"', html)
                found += [(node.lineno, text) for text in (re.sub(r"<[^>]*(>|$)|^[^<]*>", " ", html), *heard)]
    return found


def constants(node):
    """Texts below a node, but for what a call below it is given: `label("tab.chat")` is a key."""
    if isinstance(node, ast.Constant):
        return [node] if isinstance(node.value, str) else []
    if isinstance(node, ast.Call):
        return []
    children = node.values if isinstance(node, ast.Dict) else ast.iter_child_nodes(node)
    return [part for child in children for part in constants(child)]


def text_of(node):
    """A string or an f-string, with a mark for each value that is put in."""
    parts = node.values if isinstance(node, ast.JoinedStr) else [node]
    return "".join(str(part.value) if isinstance(part, ast.Constant) else "·" for part in parts)


def sources():
    names = sorted((ROOT / "ui").rglob("*.py"))
    return [path for path in names if not path.name.startswith("wording")]


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    return layout.build(Services(tmp_path_factory.mktemp("home"), ScriptedBackend("হুম।"), password="x"))


def test_every_text_of_every_widget_has_a_bengali_wording_or_is_a_name(page):
    left = [(place, english_in(text.replace(PROMPT, ""))) for place, text, _ in shown_by(page)]
    assert [(place, words) for place, words in left if words] == []


def test_every_key_that_a_widget_shows_exists_in_both_languages(page):
    keys = {key for _, _, keys in shown_by(page) for key in keys}
    assert len(keys) > 150
    assert keys - set(wording.LABELS) == set()


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_source_hands_english_to_a_widget_or_writes_it_into_html(path):
    found = written_in(path.read_text(encoding="utf-8"))
    assert [(line, text) for line, text in found if english_in(text)] == []


def test_a_widget_with_english_alone_would_be_found():
    with gr.Blocks() as page:
        gr.Textbox(label="Your name", placeholder="Jane Doe")
        gr.Radio([("Warm", "warm"), ("আন্তরিক", "heard")], label=layout.label("tab.chat"))
        gr.Button("Save")
    found = {word for _, text, _ in shown_by(page) for word in english_in(text)}
    assert found == {"Your", "name", "Jane", "Doe", "Warm", "Save"}


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ('gr.Button("Stop")', ["Stop"]),
        ('gr.Button(label("stop"))', []),
        ('gr.Textbox(label=label("a.b"), placeholder="Write here")', ["Write", "here"]),
        ('gr.Info("Saved.")', ["Saved"]),
        ('x = f"<p>{count} rows</p>"', ["rows"]),
        ('x = f\'<p class="quiet" title="Rows">{count}</p>\'', ["Rows"]),
        ("x = '<div class=\"run-card\">'", []),
    ],
)
def test_english_in_a_source_would_be_found(source, words):
    assert [word for _, text in written_in(source) for word in english_in(text)] == words


def test_the_words_of_gradio_are_still_those_of_the_gradio_that_is_installed():
    folder = Path(gr.__file__).parent
    scripts = glob.glob(str(folder / "templates" / "frontend" / "assets" / "*.js"))
    everything = "".join(Path(name).read_text(encoding="utf-8", errors="replace") for name in scripts)
    everything += (folder / "components" / "file.py").read_text(encoding="utf-8")
    gone = [key for key in wording_gradio.KEYS if f"`{key}`" not in everything]
    for key, (_, english) in wording_gradio.KEYS.items():
        if key not in wording_gradio.UNDEFINED and f"{key.split('.')[1]}:`{english}`" not in everything:
            gone.append(key)
    for english in wording_gradio.FIXED:
        pieces = [piece for piece in re.split(r"\{\d\}|^(?:user|bot)(?=')", english) if len(piece.strip()) > 1]
        gone += [english for piece in pieces if piece not in everything]
    assert gone == []


def test_a_sentence_of_gradios_keeps_what_stands_in_between():
    for english, bengali in wording_gradio.FIXED.items():
        assert set(re.findall(r"\{\d\}", bengali)) <= set(re.findall(r"\{\d\}", english)), english
        assert not english_in(re.sub(r"\{\d\}", "", bengali)), english
