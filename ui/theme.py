"""Colours, fonts and the page's head. No fonts are fetched: the stack names what systems have, Bengali ones first.

Text stands out from its ground by 4.5 to 1, quiet text and placeholders as well, the frame of a field by 3 to 1 (WCAG
2.2, 1.4.3 and 1.4.11). Looks that Gradio's theme cannot say are in `assets/style.css`.
"""

from __future__ import annotations

import json

import gradio as gr

from finetune.recipe import ROOT
from ui.wording_gradio import FIXED

FONTS = (
    "Noto Sans Bengali",
    "Hind Siliguri",
    "Nirmala UI",
    "Kohinoor Bangla",
    "Bangla Sangam MN",
    "Bangla MN",
    "Vrinda",
    "Lohit Bengali",
    "Mukti",
    "system-ui",
    "sans-serif",
)

STYLES = [ROOT / "assets" / name for name in ("style.css", "chat.css")]
SCRIPT_NAMES = ("plots.js", "review.js", "tabs.js", "chat.js", "outbox.js", "gradio_bengali.js", "accessibility.js")
SCRIPTS = tuple(ROOT / "assets" / name for name in SCRIPT_NAMES)

HEAD = """
<meta name="color-scheme" content="light dark">
<script>
  // Bengali first: the page's language is what was chosen here, not what the browser is set to.
  (function () {
    var language = "bn", root = document.documentElement;
    try { language = localStorage.getItem("shohomormi_language") || "bn"; } catch (e) { /* storage is blocked */ }
    document.cookie = "shohomormi_language=" + language + ";path=/;max-age=31536000;SameSite=Lax";
    window.shohomormi = { language: language, fixed: FIXED };
    // Gradio knows no Bengali and starts in its fallback, which holds our Bengali (see layout_parts.py).
    Object.defineProperty(navigator, "language", { get: function () { return "bn"; } });
    function mark() { if (root.lang !== language) root.lang = language; }
    mark();
    new MutationObserver(mark).observe(root, { attributes: true, attributeFilter: ["lang"] });
    if (language !== "en") return;
    // English waits beside it (see layout_parts.py) and takes its place before the page is drawn.
    var texts = window.gradio_config.i18n_translations;
    Object.assign(texts.en, texts["en-GB"]);
    window.gradio_config.components.forEach(function (one) {
      if (one.type !== "tabitem") return; // a tab asks for its name once, and perhaps before English is there
      var key = /"key": "([^"]+)"/.exec(one.props.label);
      if (key) one.props.label = texts.en[key[1]];
    });
    var core = performance.getEntriesByType("resource").map(function (entry) { return entry.name; })
      .find(function (name) { return /\\/core-[\\w-]+\\.js$/.test(name); });
    import(core).then(function (module) {
      module.load_translations({ processed_langs: {}, custom_translations: { en: texts.en } });
    });
  })();
</script>
""".replace("FIXED", json.dumps(list(FIXED.items()), ensure_ascii=False).replace("</", "<\\/"))

HEAD += "".join(f"<script>\n{script.read_text(encoding='utf-8')}</script>\n" for script in SCRIPTS)

SWITCH_LANGUAGE = """() => {
  const language = document.documentElement.lang.startsWith("en") ? "bn" : "en";
  try { localStorage.setItem("shohomormi_language", language); } catch (e) { /* storage is blocked */ }
  document.cookie = "shohomormi_language=" + language + ";path=/;max-age=31536000;SameSite=Lax";
  location.reload();
}"""


def theme() -> gr.themes.Base:
    """A calm page: paper and ink, one deep green."""
    return gr.themes.Base(
        primary_hue=gr.themes.colors.teal,
        secondary_hue=gr.themes.colors.teal,
        neutral_hue=gr.themes.colors.stone,
        font=list(FONTS),
        font_mono=["ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace"],
        radius_size=gr.themes.sizes.radius_lg,
        text_size=gr.themes.sizes.text_md,
    ).set(
        body_background_fill="#faf8f4",
        body_background_fill_dark="#161412",
        background_fill_primary="#ffffff",
        background_fill_primary_dark="#1e1b19",
        block_background_fill="#ffffff",
        block_background_fill_dark="#1e1b19",
        body_text_color_subdued="#6b645d",
        body_text_color_subdued_dark="#a8a29e",
        link_text_color="#0f766e",
        link_text_color_hover="#115e59",
        link_text_color_active="#115e59",
        link_text_color_visited="#0f766e",
        link_text_color_dark="#5eead4",
        link_text_color_hover_dark="#99f6e4",
        link_text_color_active_dark="#99f6e4",
        link_text_color_visited_dark="#5eead4",
        block_border_color="#e7e2d9",
        block_border_color_dark="#35302c",
        block_label_text_color="#57534e",
        block_label_text_color_dark="#d6d3d1",
        block_title_text_color="#44403c",
        block_title_text_color_dark="#d6d3d1",
        block_info_text_color="#6b645d",
        block_info_text_color_dark="#a8a29e",
        block_shadow="none",
        color_accent="#0f766e",
        border_color_accent="#0f766e",
        border_color_accent_dark="#2dd4bf",
        checkbox_background_color_selected="#0f766e",
        checkbox_border_color_selected="#0f766e",
        slider_color="#0f766e",
        slider_color_dark="#2dd4bf",
        button_primary_background_fill="#0f766e",
        button_primary_background_fill_hover="#115e59",
        button_primary_background_fill_dark="#0f766e",
        button_primary_text_color="#ffffff",
        button_secondary_background_fill="#f1ede6",
        button_secondary_background_fill_hover="#e7e2d9",
        button_secondary_background_fill_dark="#2a2623",
        button_secondary_text_color="#44403c",
        button_secondary_text_color_dark="#e7e5e4",
        input_background_fill="#fffdfa",
        input_background_fill_dark="#26221f",
        input_border_width="1px",
        input_border_color="#938b81",
        input_border_color_dark="#7a726b",
        input_placeholder_color="#6b645d",
        input_placeholder_color_dark="#a8a29e",
    )
