"""How much of the reference replies a reply repeats: chrF++, BLEU and ROUGE, by sacrebleu and rouge_score.

Both libraries were made for Latin script, and most published figures for Bengali replies show it: rouge_score's own
tokenizer keeps [a-z0-9] only, so that Bengali scores 0.0, or 1.0 where a Latin header is all that is left to compare;
chrF++ leaves a danda on its word. Here both sides are cleaned (NFC), words are those of `finetune.bengali`, and marks
that the libraries do not part from a word are parted before. A reply may follow any of its references.

None of these figures knows meaning: a reply can be kind and share no word with its reference.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import zip_longest
from typing import Any

import regex

from finetune import bengali

ROUGE = ("rouge1", "rouge2", "rougeL")

_MARKS = regex.compile(r"(?![!-~])(?!(?<=[\p{L}\p{M}])’[\p{L}\p{M}])\p{P}")
"""Punctuation outside ASCII: danda, dashes, curled quotation marks; not the apostrophe inside a word."""

References = Sequence[str]


def words(text: str) -> list[str]:
    """The words of a text as all scores count them: NFC, no punctuation, no danda, Latin letters in lower case."""
    return [word.casefold() for word in bengali.words(bengali.clean(text))]


def of_reply(reply: str, references: References) -> dict[str, float | None]:
    """`{"chrf": 0 to 100, "rouge1", "rouge2", "rougeL": 0 to 1}` of one reply, each against its best reference.

    ROUGE is the F-measure (Lin 2004); chrF++ is sentence-level (Popović 2017). A reply with a reference's very words
    scores 1 also in ROUGE-2 of a single word. None where no reference has a word; an empty reply scores 0.
    """
    wanted, said = [one for one in map(words, references) if one], words(reply)
    if not wanted:
        return dict.fromkeys(("chrf", *ROUGE))
    chrf = _chrf().sentence_score(parted(reply), _worded(references)).score
    if said in wanted:
        return {"chrf": chrf, **dict.fromkeys(ROUGE, 1.0)}
    found = _rouge().score_multi([" ".join(one) for one in wanted], " ".join(said))
    return {"chrf": chrf, **{name: float(found[name].fmeasure) for name in ROUGE}}


def of_replies(replies: Sequence[str], references: Sequence[References]) -> dict[str, Any]:
    """`{"chrf", "bleu"}`, 0 to 100, over all replies together, and `signatures`, by which the figures can be repeated.

    Both add up their counts before they divide, so neither is the mean over replies. BLEU is that of Papineni et al.
    2002. The number of references may differ from reply to reply; replies of whose references none has a word are left
    out, and where none is left both figures are None.
    """
    pairs = [(parted(one), _worded(those)) for one, those in zip(replies, references, strict=True)]
    pairs = [(reply, those) for reply, those in pairs if those]
    metrics = {"chrf": _chrf(), "bleu": _bleu()}
    if not pairs:
        return {**dict.fromkeys(metrics), "signatures": {}}
    said = [reply for reply, _ in pairs]
    streams = list(zip_longest(*(those for _, those in pairs)))  # the k-th references of all; None where there is none
    # Rounding can take the geometric mean of identical texts over 100.
    found = {name: min(metric.corpus_score(said, streams).score, 100.0) for name, metric in metrics.items()}
    signatures = {name: f"{metric.get_signature()}|text:NFC, marks parted" for name, metric in metrics.items()}
    return {**found, "signatures": signatures | {"rouge": rouge_signature()}}


def length_ratio(reply: str, references: References) -> float | None:
    """Words of the reply to words of the reference nearest in length, the shorter of two (as in BLEU); None if none."""
    said, wanted = len(words(reply)), [len(one) for one in map(words, references) if one]
    return said / min(wanted, key=lambda length: (abs(length - said), length)) if wanted else None


def rouge_signature() -> str:
    """What ROUGE depends on, in the manner of sacrebleu's signatures."""
    from importlib.metadata import version

    return f"f-measure, best reference|case:lc|tok:bengali words|stem:no|text:NFC|version:{version('rouge_score')}"


def parted(text: str) -> str:
    """Clean text on one line in which marks outside ASCII stand by themselves, for libraries that part only ASCII."""
    return " ".join(_MARKS.sub(r" \g<0> ", bengali.clean(text)).split())


def _worded(references: References) -> list[str]:
    """The references that have a word, parted."""
    return [parted(reference) for reference in references if words(reference)]


class _Words:
    """What rouge_score asks of a tokenizer; it gets words that are already parted by blanks."""

    def tokenize(self, text: str) -> list[str]:
        return text.split()


@lru_cache(maxsize=1)
def _rouge() -> Any:
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer(ROUGE, tokenizer=_Words())


def _chrf() -> Any:
    from sacrebleu.metrics import CHRF

    return CHRF(word_order=2)


def _bleu() -> Any:
    from sacrebleu.metrics import BLEU

    # Effective order: a handful of replies under four words can be scored too; on any other set it changes nothing.
    return BLEU(tokenize="intl", effective_order=True)
