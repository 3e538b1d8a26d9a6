"""The page for everybody: Bengali to the last word, for a screen reader, by keyboard, and from this machine alone.

One walk through every page, in Bengali on a dark phone; with SHOHOMORMI_EVERY_WAY=1 four, so that any two of light
or dark, Bengali or English, desk or phone come together.
"""

import os
import re
from dataclasses import dataclass, field

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from finetune.inference import safety
from finetune.recipe import Recipe
from tests.browser import tour
from tests.browser.conftest import PATIENCE
from tests.english import CODE, english_in
from tests.serving import running_app
from ui.wording import LABELS
from ui.wording_chat import SHELF

pytestmark = pytest.mark.browser

WAYS = [("bn", "dark", 390)]
if os.environ.get("SHOHOMORMI_EVERY_WAY"):
    WAYS += [("bn", "light", 1280), ("en", "dark", 1280), ("en", "light", 390)]

SQUEEZED = """() => [...document.querySelectorAll(".block:has(input[type=checkbox])")]
  .filter((one) => one.checkVisibility() && one.clientWidth < 100).map((one) => one.id)"""
"""Checkboxes that other controls leave no room: Gradio gives them none of their own."""

GRAVE = ("serious", "critical")

KNOWN: dict[str, str] = {}
"""Rule and selector of what cannot be mended from outside of Gradio, with the reason. There is none at present."""

READ = """() => {
  const APART = "a[href^='tel:'], script, style, noscript, code, pre, .cm-content, .cm-gutters, #language, #heard";
  const WRITTEN = "#chat [data-testid], .alternatives p[lang], .review-item p, .timeline p";
  const told = [];
  const seen = (element) => element.checkVisibility({ visibilityProperty: true });
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    if (element.closest(APART) || element.closest(WRITTEN) || !seen(element)) continue;
    told.push(texts.currentNode.textContent.trim());
  }
  for (const name of ["aria-label", "title", "placeholder", "alt", "aria-description", "aria-valuetext"])
    for (const element of document.body.querySelectorAll(`[${name}]`))
      if (!element.closest("#language")) told.push(element.getAttribute(name));
  return told.filter((text) => /[A-Za-z]{2}|[0-9]/.test(text));
}"""
"""All of the page that can be read, and that can be heard, also of what is hidden for the moment; not what people and
models wrote."""

RUN = re.compile(r"\bdemo-\d+\b")
TYPED = re.compile(r"\bROUGE-[12]\b|\([^)\u0980-\u09ff]*\)|\b\d*bit\b|(?<!\S)-1\b|[−-]?\d+e[+−]\d+")
"""Figures as a field, a file or a plot's axis writes them."""

TO_CALL = re.compile("|".join(rf"(?<!\d){line.number}(?!\d)" for line in safety.helplines()))
"""Numbers to call, where a message's own name repeats the message."""

PROMPT = Recipe.read("demo").data.system_prompt


@dataclass
class Seen:
    """What one walk has found, each with the page it stands on."""

    language: str
    graves: list[str] = field(default_factory=list)
    texts: list[tuple[str, str]] = field(default_factory=list)
    tabs: list[str] = field(default_factory=list)
    wide: list[str] = field(default_factory=list)
    narrow: list[str] = field(default_factory=list)
    spoken: set[str] = field(default_factory=set)
    requests: list[str] = field(default_factory=list)
    cookies: set[str] = field(default_factory=set)
    pages: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("everybody")


@pytest.fixture(scope="module")
def review(folder):
    return tour.lay_out(folder / "home")


@pytest.fixture(scope="module")
def app(folder, review):
    with running_app(folder) as running:
        yield running


def opened(browser, app, language="bn", scheme="light", width=1280):
    """The page as somebody sees it who has chosen this language before."""
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    page.add_init_script(f"if (!localStorage.shohomormi_language) localStorage.shohomormi_language = '{language}'")
    page.goto(f"{app.address}/?__theme={scheme}")
    page.locator(tour.TOP).nth(2).wait_for()
    return page


@pytest.fixture(scope="module", params=WAYS, ids=lambda way: "-".join(map(str, way)))
def seen(request, app, browser, review):
    language, scheme, width = request.param
    page = opened(browser, app, language, scheme, width)
    found, axe = Seen(language), Axe()
    page.on("request", lambda asked: found.requests.append(asked.url))
    page.reload()
    page.locator(tour.TOP).nth(2).wait_for()
    for name in tour.states(page, app.address + review, app.address, scheme):
        found.pages.append(name)
        for rule in axe.run(page, options={"resultTypes": ["violations"]}).response["violations"]:
            graves = [node for node in rule["nodes"] if rule["impact"] in GRAVE]
            places = [f"{rule['id']} {node['target'][0]}" for node in graves]
            found.graves += [f"{name}: {place}" for place in places if place not in KNOWN]
        found.texts += [(name, text) for text in page.evaluate(READ)]
        found.tabs += page.locator("[role=tab]").all_inner_texts()
        found.spoken.add(page.locator("html").get_attribute("lang"))
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            found.wide.append(name)
        found.narrow += [f"{name}: {place}" for place in page.evaluate(SQUEEZED)]
    found.cookies = {one["name"] for one in page.context.cookies()}
    page.context.close()
    return found


def test_axe_finds_nothing_serious_on_any_page(seen):
    assert len(seen.pages) == 17
    assert not seen.graves, "\n".join(seen.graves)


def test_on_a_bengali_page_nothing_is_read_or_heard_in_english(seen):
    if seen.language == "en":
        assert [text for text in seen.tabs if re.search("[\u0980-\u09ff]", text)] == []
        return
    said = {(name, RUN.sub("", text)) for name, text in seen.texts if text != PROMPT}
    english = sorted(f"{name}: {text}" for name, text in said if english_in(text))
    assert not english, "\n".join(english)
    assert len(seen.texts) > 100


def test_on_a_bengali_page_figures_are_bengali_but_in_fields_names_and_numbers_to_call(seen):
    if seen.language == "en":
        return
    plain = [(name, TO_CALL.sub("", TYPED.sub("", CODE.sub("", RUN.sub("", text))))) for name, text in seen.texts]
    latin = sorted({f"{name}: {text}" for name, text in plain if re.search(r"(?<![A-Za-z])[0-9]", text)})
    assert not latin, "\n".join(latin)


def test_the_page_says_which_language_it_speaks(seen):
    assert seen.spoken == {seen.language}


def test_no_page_scrolls_sideways(seen):
    assert seen.wide == []


def test_no_words_of_a_checkbox_stand_on_end(seen):
    assert seen.narrow == []


def test_no_page_asks_another_machine_for_anything_and_the_language_is_the_only_cookie(seen, app):
    own = (app.address, app.address.replace("http", "ws", 1), "data:", "blob:")
    assert len(seen.requests) > 50
    assert [url for url in seen.requests if not url.startswith(own)] == []
    assert seen.cookies == {"shohomormi_language"}


def test_english_is_there_from_the_first_moment_on_a_slow_machine(app, browser):
    page = opened(browser, app, "en")
    page.context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": 4})
    page.reload()
    page.locator(tour.TOP).nth(2).wait_for()
    assert page.locator(tour.TOP).all_inner_texts() == [
        LABELS[f"tab.{one}"][1] for one in ("train", "compare", "evaluate", "chat")
    ]
    page.locator(tour.TOP).nth(1).click()
    expect(page.locator("#compare-pages [role=tab]").last).to_have_text(LABELS["compare.page.verdict"][1])
    page.context.close()


def test_whole_sentences_of_a_reply_are_heard_once_and_a_reopened_conversation_is_not(app, browser):
    page = opened(browser, app)
    page.locator(tour.TOP).nth(3).click()
    page.evaluate(HEAR)
    tour.talk(page)
    reply = page.locator("#chat [data-testid=bot]").inner_text().split()
    page.wait_for_function(
        "(words) => window.heard.join(' ').split(/\\s+/).join(' ').includes(words)", arg=" ".join(reply)
    )
    heard = page.evaluate("window.heard")
    assert " ".join(heard).split() == reply
    assert all(re.search("[।?!]$", sentence) for sentence in heard)
    assert page.locator("#heard").get_attribute("aria-live") == "polite"
    assert page.locator("#chat [role=log]").get_attribute("aria-live") == "off"
    tour.press(page, "chat.clear")
    page.locator("#chat-shelf button.label-wrap").click()
    page.locator(".shelf .open").first.click()
    expect(page.locator("#chat [data-testid=bot]")).to_have_count(1)
    page.wait_for_timeout(2000)  # longer than an unfinished sentence waits
    assert page.evaluate("window.heard") == heard
    page.context.close()


HEAR = """() => {
  window.heard = [];
  const hear = (changes) => changes.forEach((change) => change.addedNodes.forEach(
    (line) => window.heard.push(line.textContent)));
  new MutationObserver(hear).observe(document.querySelector("#heard"), { childList: true });
}"""

BUBBLES = """(turns) => {
  const log = document.querySelector("#chat [role=log]");
  log.querySelectorAll(".planted").forEach((one) => one.remove());
  for (const [who, text] of turns) {
    const bubble = document.createElement("div");
    bubble.className = "planted";
    bubble.dataset.testid = who;
    bubble.innerText = text;
    log.append(bubble);
  }
}"""
"""Bubbles as Gradio draws them: a reply that is cut needs a model that says something it never should."""


def test_help_that_follows_a_reply_that_was_cut_is_heard_too_and_another_conversation_is_not(app, browser):
    page = opened(browser, app)
    page.locator(tour.TOP).nth(3).click()
    page.locator("#chat [role=log]").wait_for(state="attached")
    broken = []
    page.on("pageerror", lambda error: broken.append(str(error)))
    page.evaluate(HEAR)

    def stand(*turns):
        page.evaluate(BUBBLES, [list(turn) for turn in turns])
        page.wait_for_timeout(100)

    said, shown, help_ = ("user", "আজ মনটা খারাপ।"), ("bot", "কষ্টটা বুঝি।"), ("bot", "নিচের কোনো নম্বরে ফোন করুন।")
    stand(said)
    stand(said, shown)
    stand(said, shown, help_)
    page.wait_for_function("window.heard.length === 2")
    assert page.evaluate("window.heard") == [shown[1], help_[1]]
    stand(said)
    stand(("user", "অন্য আলাপ।"), shown, help_)
    stand(said, shown, said, help_)
    stand(said, shown, said)
    stand(said, shown)
    page.wait_for_timeout(2000)  # longer than an unfinished sentence waits
    assert len(page.evaluate("window.heard")) == 2
    assert broken == []
    page.context.close()


def test_whoever_does_not_see_hears_that_a_second_press_deletes(app, browser):
    page = opened(browser, app)
    page.locator(tour.TOP).nth(3).click()
    tour.talk(page)
    page.locator("#chat-shelf button.label-wrap").click()
    page.evaluate(HEAR)
    button = page.locator(".shelf [data-act=delete]").first
    expect(button).to_have_accessible_name(SHELF["delete"][0])
    button.click()
    expect(button).to_have_accessible_name(SHELF["sure"][0])
    assert page.evaluate("window.heard") == [SHELF["sure"][0]]
    expect(button).to_have_accessible_name(SHELF["delete"][0])  # after a while it means nothing again
    expect(button).to_have_text("✕")
    page.context.close()


def test_help_is_one_press_away_on_every_page_before_any_answer_of_the_server_and_in_the_pages_language(
    app, browser, review
):
    for language in ("bn", "en"):
        page = opened(browser, app, language, width=390)
        for place, numbers in ((app.address, (0, 1, 2)), (app.address + review, ()), (f"{app.address}/privacy", ())):
            page.route(re.compile("/gradio_api/(queue|run)/"), lambda route: None)  # no event is ever answered
            page.goto(place)
            for tab in numbers or (None,):
                if tab is not None:
                    page.locator(tour.TOP).nth(tab).click()
                fold = page.locator(".help-fold").locator("visible=true")
                fold.locator("summary").first.click()
                for line in safety.helplines(language):
                    number = fold.locator(f"a[href='tel:{line.number.replace('-', '')}']")
                    expect(number).to_be_visible()
                    expect(number.locator("xpath=..")).to_contain_text(line.name)
                assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.context.close()


def test_a_card_is_heard_when_it_says_something_new(app, browser):
    page = opened(browser, app)
    assert page.locator("#heard p").count() == 0
    tour.press(page, "gate.look")
    state = page.locator("#gate .state")
    state.wait_for()
    expect(page.locator("#heard")).to_contain_text(state.inner_text().strip())
    page.context.close()


def test_whoever_goes_by_keyboard_sees_where_they_are_and_comes_first_to_the_language_then_to_the_tabs(app, browser):
    page = opened(browser, app)
    order = []
    for _ in range(6):
        page.keyboard.press("Tab")
        here = page.evaluate(
            """() => {
              const one = document.activeElement, style = getComputedStyle(one);
              const name = one.id || one.getAttribute("role") || one.tagName;
              return [name, style.outlineStyle, parseFloat(style.outlineWidth)];
            }"""
        )
        assert here[1] == "solid" and here[2] >= 2, here
        order.append(here[0])
    assert order[:2] == ["language", "tab"]
    page.locator("#language").focus()
    page.keyboard.press("Enter")
    expect(page.locator("html")).to_have_attribute("lang", "en")
    page.context.close()


def test_bengali_is_drawn_by_a_bengali_font_with_room_above_and_below(app, browser, screenshot):
    page = opened(browser, app)
    page.locator(tour.TOP).nth(3).click()
    letters = "ক্ষ্ম র‍্যাঁদা হ্যাঁ ন্দ্র হঠাৎ চাঁদ লক্ষ্মী কৃষ্ণচূড়া ঔৎসুক্য"
    page.locator("#chat-message textarea").fill(letters)
    page.locator("#chat-send").click()
    bubble = page.locator("#chat [data-testid=user]")
    expect(bubble).to_have_text(letters)
    page.locator("#chat-message textarea").fill(letters)
    screenshot(page, "conjuncts.png")
    session = page.context.new_cdp_session(page)
    for name in ("DOM", "CSS"):
        session.send(f"{name}.enable")
    root = session.send("DOM.getDocument")["root"]["nodeId"]
    for place in ("#chat [data-testid=user] p", "#chat-message textarea"):
        node = session.send("DOM.querySelector", {"nodeId": root, "selector": place})["nodeId"]
        fonts = session.send("CSS.getPlatformFontsForNode", {"nodeId": node})["fonts"]
        assert {font["familyName"] for font in fonts} <= {"Noto Sans Bengali"} or not fonts, fonts
        size, line = page.locator(place).evaluate(
            "(one) => [getComputedStyle(one).fontSize, getComputedStyle(one).lineHeight].map(parseFloat)"
        )
        assert line >= 1.5 * size
    page.context.close()


def test_the_ends_of_a_slider_are_written_in_the_figures_of_the_page(app, browser):
    for language, end in (("bn", "১.৫"), ("en", "1.5")):
        page = opened(browser, app, language)
        page.locator(tour.TOP).nth(3).click()
        tour.unfold(page)
        expect(page.locator("[data-testid=max-value]").locator("visible=true").first).to_have_text(end)
        page.context.close()


def test_one_button_deletes_all_that_the_browser_keeps(app, browser):
    page = opened(browser, app)
    page.locator(tour.TOP).nth(3).click()
    tour.talk(page)
    page.wait_for_function("localStorage.shohomormi_conversations?.length > 400")
    page.evaluate("() => { sessionStorage.shohomormi_outbox = 'a message that has not arrived'; }")
    page.goto(f"{app.address}/privacy")
    page.locator("#privacy-forget button.label-wrap").click()
    page.locator("#privacy-forget-yes").click()
    expect(page.locator("#privacy-forgotten li")).to_be_visible()
    kept = page.evaluate("Object.keys(localStorage).filter((key) => key.startsWith('shohomormi_'))")
    assert set(kept) <= {"shohomormi_language", "shohomormi_given"}
    assert page.evaluate("sessionStorage.shohomormi_outbox") is None
    page.goto(app.address)
    page.locator(tour.TOP).nth(3).click()
    expect(page.locator(".shelf .open")).to_have_count(0)
    page.context.close()
