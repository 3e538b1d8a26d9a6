"""The three tabs as a person uses them, in headless Chromium on the real app with the demo model.

Pictures are kept only where SHOHOMORMI_SCREENSHOTS names a folder.
"""

import os
import re
import signal
import time
import urllib.request
import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import expect

from finetune.inference import safety
from finetune.training import checkpoints, jobs, runs
from ui.wording import ERRORS_BN, EXAMPLES, LABELS, SENTENCES

pytestmark = pytest.mark.browser

TRAIN, COMPARE, EVALUATE, CHAT = range(4)
STEPS = 4
MESSAGE = "নতুন শহরে এসে সন্ধ্যা হলেই ভীষণ একা লাগে।"
CRISIS = "আমি আর বাঁচতে চাই না।"
LONGEST_RUN = 240_000
"""Milliseconds before a run is given up; on a quiet machine it takes twenty seconds."""


def bengali(key):
    return LABELS[key][0]


def go_to(page, number):
    page.get_by_role("tab").nth(number).click()
    expect(page.get_by_role("tab").nth(number)).to_have_attribute("aria-selected", "true")


def button(page, key):
    return page.get_by_role("button", name=bengali(key), exact=True).locator("visible=true")


def settle(page):
    """Wait for two frames: one after an accordion was opened first, Gradio writes into its fields what they hold."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def unfold(page, key):
    """Open an accordion that is folded; its button also holds an arrow."""
    named = re.compile(rf"^\s*{re.escape(bengali(key))}\s*[▼◀]?\s*$")
    page.locator("button.label-wrap").filter(has_text=named).locator("visible=true").click()
    settle(page)


def fill_number(page, key, value):
    field = page.get_by_label(bengali(key), exact=True).locator("visible=true").first
    for _ in range(20):  # on a busy machine Gradio may write what the field held a good while after it came into sight
        field.fill(str(value))
        field.press("Tab")
        page.wait_for_timeout(100)
        if field.input_value() == str(value):
            break
    expect(field).to_have_value(str(value))


def set_number(page, name, value):
    field = page.locator(f"#{name.replace('.', '-')} input")
    field.fill(str(value))
    field.press("Tab")
    expect(field).to_have_value(str(value))


def ask_for_a_short_run(page, **more):
    unfold(page, "section.training")
    short = {
        "training.max_steps": STEPS,
        "training.per_device_train_batch_size": 2,
        "training.eval_steps": STEPS,
        "training.save_steps": STEPS,
        "training.warmup_steps": 1,
    }
    for name, value in (short | more).items():
        set_number(page, name, value)


def open_page_of(page, key):
    """One of the Train tab's pages."""
    page.locator("#train-pages").get_by_role("tab", name=bengali(key), exact=True).click()


def card(page):
    return page.locator(".run-card:not(.plan):not(.gate)")


def run_shown(page):
    return page.get_by_label(bengali("train.run"), exact=True).input_value()


def bubbles(page, who):
    return page.locator(f"#chat [data-testid='{who}']")


def send(page, text):
    page.locator("#chat-message textarea").fill(text)
    page.locator("#chat-send").click()


def expect_ready(page):
    """Wait until no reply is being written: the send button is back."""
    expect(page.locator("#chat-send")).to_be_visible()
    expect(button(page, "stop")).to_have_count(0)


def answered(page, text):
    """Send a message, wait for the whole reply and give its text."""
    before = bubbles(page, "bot").count()
    send(page, text)
    expect(bubbles(page, "bot")).to_have_count(before + 1)
    expect_ready(page)
    return bubbles(page, "bot").last.inner_text().strip()


def test_a_run_is_started_watched_found_again_after_a_reload_and_seen_to_its_end(page, screenshot):
    go_to(page, TRAIN)
    open_page_of(page, "train.page.watch")
    expect(card(page)).to_have_text(SENTENCES["status.none"][0])
    open_page_of(page, "train.page.new")
    ask_for_a_short_run(page)
    button(page, "train.start").click()
    expect(page.get_by_text(re.compile(r"demo-001 শুরু হয়েছে।")).first).to_be_visible()
    expect(card(page)).to_have_class(re.compile("active"))
    expect(button(page, "train.stop")).to_be_enabled()
    expect(card(page)).to_contain_text(re.compile(r"ধাপ [০-৪] / ৪"), timeout=LONGEST_RUN)

    page.reload()
    page.get_by_role("tab").nth(CHAT).wait_for()
    go_to(page, TRAIN)
    open_page_of(page, "train.page.watch")
    expect(page.get_by_label(bengali("train.run"), exact=True).locator("visible=true")).to_have_value("demo-001")
    expect(card(page)).to_contain_text("/ ৪")
    expect(card(page)).to_have_class(re.compile("finished"), timeout=LONGEST_RUN)
    expect(card(page)).to_contain_text("ধাপ ৪ / ৪")
    expect(card(page)).to_contain_text("যাচাইয়ে লস")
    plots = page.locator(".js-plotly-plot")
    expect(plots.locator(".main-svg").locator("visible=true").first).to_be_visible()
    expect(plots).to_have_count(4)  # loss, learning rate, gradient norm, tokens a second; memory only on a GPU
    expect(plots.first.locator(".scatterlayer .trace")).to_have_count(4)  # raw, smoothed, evaluation, best
    expect(button(page, "train.stop")).to_be_disabled()
    prompts = page.locator("#samples h4")
    expect(prompts).to_have_count(3)
    expect(page.locator("#samples section").first.locator("li")).to_have_count(2)  # the base's answer, and after
    unfold(page, "train.log")
    expect(page.locator(".log textarea")).to_have_value(re.compile("adapter saved in"))
    unfold(page, "train.log")
    screenshot(page, "train.png")


def test_a_zoom_outlives_a_refresh_of_the_page_that_is_watched(page):
    go_to(page, TRAIN)
    open_page_of(page, "train.page.watch")
    plot = page.locator(".js-plotly-plot").first
    expect(plot.locator(".main-svg").first).to_be_visible()
    page.evaluate(
        """() => window.Plotly.relayout(document.querySelector(".js-plotly-plot"),
             {"xaxis.range[0]": 1, "xaxis.range[1]": 3})"""
    )
    unfold(page, "plot.view")
    page.get_by_label(bengali("plot.clip"), exact=True).click()
    page.wait_for_timeout(3000)
    shown = page.evaluate("() => document.querySelector('.js-plotly-plot').layout.xaxis.range")
    assert shown == [1, 3]


def test_the_figures_of_a_plot_are_written_in_bengali_digits(page):
    go_to(page, TRAIN)
    open_page_of(page, "train.page.watch")
    plot = page.locator(".js-plotly-plot").first
    expect(plot.locator(".xtick text").first).to_have_text(re.compile("^[০-৯]+$"))
    expect(plot.locator(".ytick text").last).to_have_text(re.compile("^[০-৯.]+$"))
    box = plot.locator(".nsewdrag").first.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(plot.locator(".hoverlayer .legendtitletext")).to_have_text(re.compile("^ধাপ [০-৯]+$"))
    expect(plot.locator(".hoverlayer .legendtext").first).to_have_text(re.compile(" : [০-৯.]+$"))
    page.mouse.move(0, 0)


def test_all_runs_are_listed_and_a_note_is_kept(page):
    go_to(page, TRAIN)
    open_page_of(page, "train.page.all")
    table = page.locator("#runs-table")
    expect(table).to_contain_text("demo-001")
    expect(table.locator("svg.sparkline").locator("visible=true").first).to_be_visible()
    page.get_by_label(bengali("history.notes"), exact=True).fill("প্রথম চেষ্টা")
    button(page, "history.keep").click()
    expect(page.get_by_test_id("toast-body")).to_contain_text(SENTENCES["history.kept"][0])
    page.reload()
    page.get_by_role("tab").nth(CHAT).wait_for()
    open_page_of(page, "train.page.all")
    expect(page.get_by_label(bengali("history.notes"), exact=True)).to_have_value("প্রথম চেষ্টা")


def test_a_run_whose_process_was_killed_says_which_setting_to_lower_shows_its_log_and_can_go_on(page, app, screenshot):
    go_to(page, TRAIN)
    ask_for_a_short_run(page, **{"training.save_steps": 2, "training.eval_steps": 2, "training.max_steps": 40})
    button(page, "train.start").click()
    expect(card(page)).to_contain_text(re.compile("ধাপ ([২-৯]|[১-৩][০-৯]) / ৪০"), timeout=LONGEST_RUN)
    run = runs.find(app.home, run_shown(page))
    expect(card(page)).to_contain_text("যাচাইয়ে লস")  # an evaluation at step 2: its checkpoint is whole or nearly
    while not any(point.complete for point in checkpoints.of(run)):
        time.sleep(0.1)
    os.kill(run.status().pid, signal.SIGKILL)
    expect(card(page)).to_have_class(re.compile("failed"))
    expect(card(page).locator(".error")).to_contain_text("per_device_train_batch_size ২ থেকে কমিয়ে ১")
    expect(page.locator(".log textarea").locator("visible=true")).to_have_value(re.compile(r"\S"))
    expect(button(page, "train.resume")).to_be_visible()
    screenshot(page, "train-failed.png")
    jobs.delete(run)


def test_a_setting_that_cannot_work_is_told_beside_its_control_and_start_waits_for_it(page, app):
    before = sorted(app.home.glob("runs/*"))
    go_to(page, TRAIN)
    set_number(page, "training.learning_rate", -1)
    set_number(page, "adapter.r", 0)
    for name, said in (("training-learning_rate", "-১ চলবে না"), ("adapter-r", "০ চলবে না")):
        expect(page.locator(f"#{name}")).to_contain_text(said)
    expect(page.locator("#plan .error")).to_have_count(2)
    expect(button(page, "train.start")).to_be_disabled()
    set_number(page, "training.learning_rate", 0.001)
    set_number(page, "adapter.r", 16)
    expect(button(page, "train.start")).to_be_enabled()
    expect(page.locator("#training-learning_rate")).not_to_contain_text("চলবে না")
    assert sorted(app.home.glob("runs/*")) == before


def test_start_waits_for_the_file_that_was_promised(page):
    go_to(page, TRAIN)
    page.get_by_label(bengali("train.data.upload"), exact=True).check()
    expect(page.locator("#plan")).to_contain_text(ERRORS_BN["train.no_file"])
    expect(button(page, "train.start")).to_be_disabled()
    page.get_by_label(bengali("train.data.recipe"), exact=True).check()
    expect(button(page, "train.start")).to_be_enabled()


def test_a_pdf_that_was_renamed_is_one_bengali_sentence_on_the_page_and_no_run_is_lost(page, app, tmp_path):
    before = {file: file.read_bytes() for file in app.home.glob("runs/*/status.json")}
    renamed = tmp_path / "questions.csv"
    renamed.write_bytes(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<< /Type /Catalog >>\nendobj\n")
    go_to(page, TRAIN)
    page.get_by_label(bengali("train.data.upload"), exact=True).check()
    page.locator("input[type=file]").first.set_input_files(renamed)
    problem = page.locator("#gate li.error")
    expect(problem).to_contain_text("questions.csv নামে CSV হলেও আসলে অন্য ধরনের ফাইল।")
    assert not re.search(r"Traceback|Error:", page.locator("#gate").inner_text())
    expect(button(page, "train.start")).to_be_disabled()
    assert {file: file.read_bytes() for file in app.home.glob("runs/*/status.json")} == before


def test_data_that_would_waste_a_run_keeps_start_shut_and_says_why(page, app, tmp_path, screenshot):
    before = sorted(app.home.glob("runs/*"))
    go_to(page, TRAIN)
    unfold(page, "section.training")
    set_number(page, "training.max_length", 16)
    button(page, "gate.look").click()
    gate = page.locator("#gate .run-card")
    expect(gate).to_contain_text(SENTENCES["gate.blocked"][0])
    expect(gate.locator("li.error").first).to_contain_text("max_length")
    expect(button(page, "train.start")).to_be_disabled()
    screenshot(page, "train-gate-failing.png")
    set_number(page, "training.max_length", 256)
    expect(button(page, "train.start")).to_be_enabled()
    assert sorted(app.home.glob("runs/*")) == before


def test_from_an_upload_to_the_adapter_in_a_zip(page, tmp_path):
    table = tmp_path / "আমার প্রশ্ন.csv"
    lines = [f"{n} নম্বর দিনেও মনটা ভালো নেই কেন,শুনে কষ্ট লাগছে; {n} নম্বর দিনটার কথা বলবেন?" for n in range(80)]
    table.write_text("\n".join(["Questions,Answers", *lines]) + "\n,\n", encoding="utf-8")
    go_to(page, TRAIN)
    unfold(page, "section.data")
    page.locator("#data-group input").uncheck()  # they are near-identical questions, all of one group
    page.get_by_label(bengali("train.data.upload"), exact=True).check()
    page.locator("input[type=file]").first.set_input_files(table)
    gate = page.locator("#gate .run-card")
    expect(gate).to_contain_text("৮১ সারির ৮০টি নেওয়া হয়েছে")
    gate.locator("summary").first.click()
    expect(gate.locator("mark").first).to_contain_text("শুনে কষ্ট লাগছে")
    ask_for_a_short_run(page)
    page.get_by_label(bengali("train.name")).locator("visible=true").first.fill("নিজের ডেটা")
    button(page, "train.start").click()
    expect(card(page)).to_have_class(re.compile("finished"), timeout=LONGEST_RUN)
    unfold(page, "train.take")
    button(page, "train.zip").click()
    link = page.locator("#adapter-zip a").first
    expect(link).to_be_visible()
    with page.expect_download() as loading:
        link.click()
    with zipfile.ZipFile(loading.value.path()) as parcel:
        names = {Path(name).name for name in parcel.namelist()}
    assert {"adapter_model.safetensors", "adapter_config.json", "prompt_format.json", "README.md"} <= names


def test_both_sides_of_a_comparison_stream_in_and_are_filled(page, screenshot):
    go_to(page, COMPARE)
    page.locator("#compare-prompt textarea").fill(MESSAGE)
    page.evaluate(
        """() => {
          window.seen = {base: new Set(), tuned: new Set()};
          const look = () => {
            for (const side of ["base", "tuned"])
              window.seen[side].add(document.querySelector(`#compare-${side} textarea`).value);
            requestAnimationFrame(look);
          };
          look();
        }"""
    )
    page.locator("#compare-start").click()
    sides = [page.locator(f"#compare-{side} textarea") for side in ("base", "tuned")]
    for side in sides:
        expect(side).to_have_value(re.compile("[।?!]$"))
    expect(page.locator("#compare-start")).to_be_enabled()
    base, tuned = (side.input_value() for side in sides)
    assert base != tuned
    assert page.evaluate("window.seen.base.size") > 2 and page.evaluate("window.seen.tuned.size") > 2
    screenshot(page, "compare.png")


def test_an_example_fills_the_prompt_of_a_comparison(page):
    go_to(page, COMPARE)
    page.get_by_text(EXAMPLES[1][:25]).locator("visible=true").first.click()  # long ones are shown shortened
    expect(page.locator("#compare-prompt textarea")).to_have_value(EXAMPLES[1])


def test_an_empty_comparison_asks_for_words_and_the_button_comes_back(page):
    go_to(page, COMPARE)
    page.locator("#compare-start").click()
    expect(page.get_by_test_id("toast-body")).to_contain_text(SENTENCES["compare.empty"][0])
    expect(page.locator("#compare-start")).to_be_enabled()


def test_a_crisis_phrase_shows_the_fixed_message_on_both_sides(page):
    go_to(page, COMPARE)
    page.locator("#compare-prompt textarea").fill(CRISIS)
    page.locator("#compare-start").click()
    for side in ("base", "tuned"):
        expect(page.locator(f"#compare-{side} textarea")).to_have_value(re.compile(safety.helplines()[0].number))


def test_heavy_words_are_answered_on_both_sides_with_help_beside_them(page, screenshot):
    go_to(page, COMPARE)
    page.locator("#compare-prompt textarea").fill("আমি না থাকলে সবাই ভালো থাকত।")
    page.locator("#compare-start").click()
    for line in safety.helplines():
        expect(page.locator(f"#compare-care a[href='tel:{line.number.replace('-', '')}']")).to_be_visible()
    expect(page.locator("#compare-start")).to_be_enabled()
    for side in ("base", "tuned"):
        expect(page.locator(f"#compare-{side} textarea")).to_have_value(re.compile(r"[।?!]$"))
    screenshot(page, "compare-soft.png")
    page.locator("#compare-prompt textarea").fill(MESSAGE)
    page.locator("#compare-start").click()
    expect(page.locator("#compare-care")).to_be_hidden()


def test_a_message_is_answered_answered_anew_taken_back_and_cleared_away(page, screenshot):
    go_to(page, CHAT)
    first = answered(page, MESSAGE)
    assert re.search("[।?!]$", first)
    expect(page.locator("#chat-message textarea")).to_have_value("")
    screenshot(page, "chat.png")

    button(page, "chat.retry").click()
    expect(bubbles(page, "bot").last).not_to_have_text(first)
    expect_ready(page)
    expect(bubbles(page, "user")).to_have_count(1)
    expect(bubbles(page, "bot")).to_have_count(1)
    assert bubbles(page, "bot").last.inner_text().strip() != first

    answered(page, "বাবার কথা খুব মনে পড়ে।")
    expect(bubbles(page, "bot")).to_have_count(2)
    button(page, "chat.undo").click()
    expect(bubbles(page, "bot")).to_have_count(1)
    expect(bubbles(page, "user")).to_have_text([MESSAGE])
    expect(page.locator("#chat-message textarea")).to_have_value("বাবার কথা খুব মনে পড়ে।")

    button(page, "chat.clear").click()
    expect(bubbles(page, "user")).to_have_count(0)
    expect(bubbles(page, "bot")).to_have_count(0)


def test_stop_really_stops_the_reply_that_is_being_written(page):
    """The same message with the same seed twice: the second time the first letters press the button."""
    go_to(page, CHAT)
    whole = answered(page, MESSAGE)
    button(page, "chat.clear").click()
    expect(bubbles(page, "bot")).to_have_count(0)
    page.evaluate(
        """(name) => {
          const look = () => {
            const reply = document.querySelector("#chat [data-testid='bot']");
            const buttons = [...document.querySelectorAll("button")];
            const stop = buttons.find(one => one.innerText.trim() === name && one.offsetParent);
            if (reply && reply.innerText.trim() && stop) stop.click(); else requestAnimationFrame(look);
          };
          look();
        }""",
        bengali("stop"),
    )
    cut = answered(page, MESSAGE)
    assert cut and len(cut) < len(whole)
    assert whole.startswith(cut)
    page.wait_for_timeout(1000)  # were it still being written, more would come
    assert bubbles(page, "bot").last.inner_text().strip() == cut


def test_a_conversation_goes_on_after_a_reply_was_stopped_and_the_enter_key_sends(page):
    go_to(page, CHAT)
    send(page, MESSAGE)
    button(page, "stop").click()
    expect_ready(page)
    page.locator("#chat-message textarea").fill("আজ বৃষ্টিতে ভিজলাম!")
    page.locator("#chat-message textarea").press("Enter")
    expect(bubbles(page, "user")).to_have_count(2)
    expect(bubbles(page, "bot").last).to_have_text(re.compile(r"[।?!]\s*$"))
    expect_ready(page)


def test_a_crisis_phrase_shows_the_fixed_message_and_its_numbers(page):
    go_to(page, CHAT)
    told = answered(page, CRISIS)
    assert safety.message("bn").split("\n")[0] in told
    assert all(line.number in told for line in safety.helplines())


def test_after_an_error_in_chat_the_next_message_can_be_sent(page):
    go_to(page, CHAT)
    unfold(page, "generation")
    fill_number(page, "generation.seed", -1)
    send(page, MESSAGE)
    expect(page.get_by_test_id("toast-body")).to_contain_text(bengali("generation.seed"))
    expect(page.locator("#chat-send")).to_be_visible()
    fill_number(page, "generation.seed", 1)
    assert re.search("[।?!]$", answered(page, MESSAGE))


def test_an_example_begins_a_conversation(page):
    go_to(page, CHAT)
    page.locator("#chat").get_by_text(EXAMPLES[0][:25]).click()
    expect(bubbles(page, "user")).to_have_text([EXAMPLES[0]])
    expect(bubbles(page, "bot").last).to_have_text(re.compile(r"[।?!]\s*$"))
    expect_ready(page)


def test_the_help_card_offers_every_number_to_tap(page):
    go_to(page, CHAT)
    page.locator(".help-fold summary").get_by_text(bengali("help"), exact=True).locator("visible=true").click()
    for line in safety.helplines():
        number = page.locator(f".help-card a[href='tel:{line.number.replace('-', '')}']")
        expect(number.locator("visible=true")).to_have_count(1)


def test_every_run_that_left_an_adapter_can_be_chosen_in_chat(page, app):
    made = [file.parent.parent.name for file in app.home.glob("runs/*/adapter/adapter_config.json")]
    if not made:
        pytest.skip("no run has left an adapter: this test comes after the Train tab's")
    go_to(page, CHAT)
    page.get_by_label(bengali("adapter"), exact=True).locator("visible=true").click()
    page.get_by_role("option", name=made[0]).click()
    assert re.search("[।?!]$", answered(page, MESSAGE))


def test_the_language_is_switched_to_english_and_back_and_remembered(page):
    for language, number in (("en", 1), ("bn", 0)):
        page.locator("#language").click()
        expect(page.locator("html")).to_have_attribute("lang", re.compile(language))
        for tab, key in enumerate(("tab.train", "tab.compare", "tab.evaluate", "tab.chat")):
            expect(page.get_by_role("tab").nth(tab)).to_have_text(LABELS[key][number])
        page.reload()
        expect(page.get_by_role("tab").nth(CHAT)).to_have_text(LABELS["tab.chat"][number])
        go_to(page, TRAIN)
        expect(page.get_by_role("button", name=LABELS["train.start"][number])).to_be_visible()


def test_an_error_follows_the_language_of_the_page(page):
    page.locator("#language").click()
    expect(page.get_by_role("tab").nth(COMPARE)).to_have_text(LABELS["tab.compare"][1])
    go_to(page, COMPARE)
    page.locator("#compare-start").click()
    expect(page.get_by_test_id("toast-body")).to_contain_text(SENTENCES["compare.empty"][1])


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_tab_scrolls_sideways_on_a_phone(open_page, screenshot, scheme):
    page = open_page(width=390, scheme=scheme)
    for tab in (TRAIN, COMPARE, EVALUATE, CHAT):
        go_to(page, tab)
        if tab == CHAT:
            answered(page, MESSAGE)
        if tab == TRAIN:
            open_page_of(page, "train.page.all")
            page.wait_for_timeout(500)
            assert page.evaluate("document.documentElement.scrollWidth") <= page.evaluate("innerWidth")
            open_page_of(page, "train.page.watch")
            page.wait_for_timeout(1000)
        assert page.evaluate("document.documentElement.scrollWidth") <= page.evaluate("innerWidth")
        outside = page.evaluate(
            """() => [...document.querySelectorAll("button, textarea, input, .run-card, .js-plotly-plot")]
              .filter(e => e.offsetParent && e.getBoundingClientRect().right > innerWidth + 1)
              .map(e => e.outerHTML.slice(0, 120))"""
        )
        assert outside == []
    if scheme == "dark":
        assert page.evaluate("document.querySelector('.dark') !== null")
        screenshot(page, "chat-mobile-dark.png")


def test_the_page_asks_no_other_machine_for_anything(open_page, app):
    page = open_page()
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.reload()
    page.get_by_role("tab").nth(CHAT).wait_for()
    page.wait_for_timeout(1500)
    assert asked
    assert [url for url in asked if not url.startswith((app.address, "data:", "blob:", app.address[4:]))] == []
    with urllib.request.urlopen(app.address) as answer:
        assert "fonts.googleapis.com" not in answer.read().decode()
