"""finetune/review/svg.py: parts that nest, escape and fit."""

import xml.etree.ElementTree as tree

from finetune.review import svg

EVIL = "<script>&\"'"


def test_a_picture_is_named_and_described_for_whoever_cannot_see_it():
    root = tree.fromstring(svg.picture(40, "কী", "কত", [svg.text(0, 20, "ক")]))
    said = {one.tag: one.text for one in root}
    assert (said["title"], said["desc"], said["text"]) == ("কী", "কত", "ক")
    assert root.get("aria-labelledby") == root[0].get("id") and root.get("viewBox") == "0 0 360 40"


def test_every_text_is_escaped():
    root = tree.fromstring(svg.picture(40, EVIL, EVIL, [svg.text(0, 20, EVIL)]))
    assert [one.text for one in root] == [EVIL] * 3


def test_all_parts_are_well_formed_together():
    parts = [svg.bar(0, 0, 9, 9, "#000"), svg.line(0, 0, 1, 1, dashed=True), svg.tick(1, 9), svg.dot(1, 1, "#000")]
    parts += [svg.dot(1, 1, "#000", square=True, hollow=True), svg.whisker(1, 5, 3, "#000", cap=2)]
    assert len(tree.fromstring(svg.picture(40, "", "", parts))) == 2 + len(parts)


def test_a_label_is_cut_between_letters_and_only_where_it_does_not_fit():
    assert svg.shortened("ক্ষমা", 200) == "ক্ষমা"
    cut = svg.shortened("ক্ষ্ম" * 20, 50)
    assert cut.endswith("…") and cut[:-1] == "ক্ষ্ম" * cut.count("ম")
