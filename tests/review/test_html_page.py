"""finetune/review/html_page.py: a page that needs nothing but itself, and parts that escape what people wrote."""

from finetune.review import html_page
from finetune.review.spoken import Spoken
from tests.review.test_report import EVIL, Nesting

SPOKEN = Spoken({"table.what": "What", "table.show": "Show", "evil": EVIL.replace("{0.__class__}", "")}, "en")


def test_a_page_fetches_and_runs_nothing():
    made = html_page.page(EVIL, "<p>body</p>", "bn")
    tags = Nesting(made).tags
    assert ("html", {"lang": "bn"}) in tags and "default-src 'none'" in made
    assert not {"script", "link", "img", "iframe"} & {tag for tag, _ in tags}


def test_what_people_wrote_is_escaped_in_every_part():
    parts = [
        html_page.section(EVIL, "<p></p>"),
        html_page.paragraphs([EVIL]),
        html_page.listed([EVIL]),
        html_page.table(SPOKEN, ("what",), [(EVIL, EVIL)], [EVIL]),
        html_page.said(SPOKEN, "evil"),
    ]
    assert all("<img" not in part and "&lt;img" in part for part in parts)


def test_a_section_without_anything_in_it_is_left_out():
    assert html_page.section("Title", "") == ""
    assert 'id="here"' in html_page.section("Title", "<p></p>", name="here")


def test_a_table_s_first_cell_names_its_row():
    made = html_page.table(SPOKEN, ("what",), [("a", "1"), ("b", "2")], ["n"])
    assert made.count('<th scope="row" role="rowheader">') == 2 and made.count('<td role="cell">') == 2
    assert made.count('<th scope="col" role="columnheader">') == 2
