"""What an evaluation's report and its pictures say, in Bengali and English, on the page and from the command line.

A key with `{facts}` is a template. `metric.NAME` names each figure, for the Evaluate tab too. It knows no figures.
"""

from __future__ import annotations

LANGUAGES = ("bn", "en")

EVALUATION: dict[str, tuple[str, str]] = {
    "title": ("মূল্যায়ন", "Evaluation"),
    "subtitle": (
        "মূল মডেল আর শেখানো মডেল একই {prompts}টি প্রশ্নের উত্তর লিখেছে, যেগুলো শেখানোর সময় আলাদা রাখা ছিল।",
        "The base and the fine-tuned model answered the same questions, kept aside while it learnt: {prompts} in all.",
    ),
    "between": ("{low} থেকে {high}", "{low} to {high}"),
    "side.base": ("মূল মডেল", "Base"),
    "side.tuned": ("শেখানো মডেল", "Fine-tuned"),
    "split.test": ("পরীক্ষার ভাগ", "test split"),
    "split.validation": ("যাচাইয়ের ভাগ", "validation split"),
    # the first line
    "leakage.none": (
        "শেখানোর {train}টি সারিতে এই ভাগের {others}টি প্রশ্নের একটাও নেই, হুবহু বা প্রায় একই চেহারায়ও নয়।",
        "No leakage found: none of the {others} questions of this split stands in the {train} training rows, word for word"
        " or nearly.",
    ),
    "leakage.found": (
        "সাবধান: এই ভাগের {others}টি প্রশ্নের {percent}% শেখানোর সারিতেও আছে ({exact}টি হুবহু, {near}টি প্রায় একই), তাই ফল"
        " আসলের চেয়ে ভালো দেখাচ্ছে।",
        "Leakage: {percent}% of this split’s {others} questions also stand in the {train} training rows ({exact} word for"
        " word, {near} nearly), so the figures look better than the model is.",
    ),
    "leakage.beside.none": (
        "আলাদা রাখা অন্য ভাগের {beside}টি সারিতে এই ভাগের একটা প্রশ্নও নেই।",
        "None of this split’s questions stands in the {beside} rows of the other one that was kept aside.",
    ),
    "leakage.beside.found": (
        "আলাদা রাখা অন্য ভাগের {beside}টি সারিতে এই ভাগের {shared}টি প্রশ্ন আছে, তাই দুটো ভাগ পুরোপুরি আলাদা নয়।",
        "{shared} of this split’s questions stand in the {beside} rows of the other one that was kept aside: the two are not"
        " apart.",
    ),
    "leakage.replies": (
        "এই ভাগের {replies}টি সারির উত্তর শেখানোর সারিতেও হুবহু আছে।",
        "Rows whose reply also stands in the training rows word for word: {replies}.",
    ),
    # what came out
    "headline.fewer": (
        "আসল উত্তরগুলো শেখানো মডেলের কাছে কম অচেনা: প্রতি অক্ষরে {tuned} বিট, মূল মডেলের কাছে {base} বিট, মানে {saved} কম।",
        "For the same reference replies the fine-tuned model needs {saved} fewer bits: {tuned} a character, where the base"
        " needs {base}.",
    ),
    "headline.more": (
        "আসল উত্তরগুলো শেখানো মডেলের কাছে আরও অচেনা: প্রতি অক্ষরে {tuned} বিট, মূল মডেলের কাছে {base} বিট, মানে {saved} বেশি।",
        "For the same reference replies the fine-tuned model needs {saved} more bits: {tuned} a character, where the base"
        " needs {base}.",
    ),
    "headline.sure": (
        "৯৫% নিশ্চয়তায় তফাতটা {between}-এর মধ্যে।",
        "With 95\u00a0% confidence the difference is {between}.",
    ),
    "headline.bits": (
        "যত কম বিট, আসল উত্তর মডেলের কাছে তত কম অচেনা।",
        "The fewer bits, the less the reference replies surprise a model.",
    ),
    # the table
    "figures.title": ("সব মাপ", "All figures"),
    "figures.note": (
        "বন্ধনীতে ৯৫% সীমা; যেখানে সীমা নেই, সেখানে সব উত্তরের মান একই। তফাত প্রশ্ন ধরে ধরে: শেখানো বিয়োগ মূল; শতাংশের তফাত শতাংশ-বিন্দুতে। যেখানে বলা চলে, সেখানে তফাতের"
        " পাশে লেখা আছে ভালো না খারাপ। কোথাও আসল তফাত না থাকলেও এমন প্রতি কুড়িটা মাপের একটায় দৈবাৎ তা লেখা হতে পারে, তাই একটা"
        " মাপ দেখে সিদ্ধান্ত নেবেন না।",
        "In brackets the range with 95\u00a0% confidence; where none stands, all replies have the same value. Differences"
        " are taken question by question, fine-tuned less base;"
        " those of shares are percentage points. Where it can be said, the difference is marked as better or worse."
        " Even if nothing had changed, about one mark in twenty figures would come by chance: do not go by a single one.",
    ),
    "better": ("ভালো", "better"),
    "worse": ("খারাপ", "worse"),
    "intents.title": ("শ্রোতার মতো কী কী করে", "What it does as a listener"),
    "intents.note": (
        "শব্দের তালিকা দেখে গোনা, শুধু ধরনটা বোঝার জন্য। এটা সহমর্মিতার নম্বর নয়।",
        "Counted by a list of phrases, as a diagnostic. This is no score of empathy.",
    ),
    "pooled.title": ("সব উত্তর একসঙ্গে ধরলে", "All replies taken together"),
    "pooled.note": (
        "এগুলোর সীমা হয় না, কারণ একটা একটা উত্তরে আলাদা করে মাপা যায় না।",
        "These have no range, for they cannot be taken reply by reply.",
    ),
    "pooled.chrf": ("chrF++", "chrF++"),
    "pooled.bleu": ("BLEU", "BLEU"),
    "pooled.distinct1": ("ভিন্ন শব্দ", "Different words"),
    "pooled.distinct2": ("ভিন্ন শব্দজোড়া", "Different pairs of words"),
    "pooled.distinct": ("ভিন্ন উত্তর", "Different replies"),
    "pooled.commonest_opener": ("একই দুই শব্দে শুরু", "Begin with the same two words"),
    "pooled.perplexity": ("প্রতি টোকেনে পারপ্লেক্সিটি", "Perplexity per token"),
    "perplexity.warning": (
        "পারপ্লেক্সিটি নির্ভর করে টোকেনাইজার বাংলাকে কীভাবে কাটে তার ওপর, তাই শুধু একই টোকেনাইজারের মডেলে মেলানো চলে। নয়তো"
        " দেখুন প্রতি অক্ষরে বিট।",
        "Perplexity per token depends on how the tokenizer cuts Bengali, so it compares only models with the same"
        " tokenizer. Otherwise compare bits per character.",
    ),
    "metric.bits_per_character": ("প্রতি অক্ষরে বিট", "Bits per character"),
    "metric.bits_per_byte": ("প্রতি বাইটে বিট", "Bits per byte"),
    "metric.chrf": ("chrF++", "chrF++"),
    "metric.rouge1": ("ROUGE-1", "ROUGE-1"),
    "metric.rouge2": ("ROUGE-2", "ROUGE-2"),
    "metric.rougeL": ("ROUGE-L", "ROUGE-L"),
    "metric.bertscore": ("BERTScore", "BERTScore"),
    "metric.length_ratio": ("আসল উত্তরের তুলনায় কত লম্বা", "Length against the reference"),
    "metric.distinct1": ("উত্তরে ভিন্ন শব্দ", "Different words in a reply"),
    "metric.distinct2": ("উত্তরে ভিন্ন শব্দজোড়া", "Different pairs in a reply"),
    "metric.repetition": ("একই কথা আবার", "Repeats itself"),
    "metric.script_share": ("বাংলা অক্ষর", "Bengali letters"),
    "metric.intruding_script": ("অন্য লিপি ঢুকেছে", "Another script intrudes"),
    "metric.english_drift": ("ইংরেজি হরফে সরে গেছে", "Drifts into Latin letters"),
    "metric.empty": ("কিছুই লেখেনি", "Writes nothing"),
    "metric.broken": ("ভাঙা অক্ষর", "Broken letters"),
    "metric.truncated": ("মাঝপথে কাটা", "Cut off"),
    "metric.finished": ("বাক্য শেষ করেছে", "Ends its sentence"),
    "metric.copied": ("প্রশ্নটাই নকল করেছে", "Copies the question"),
    "metric.on_the_point": ("প্রশ্নের কথা ধরেছে", "Takes up a word of the question"),
    "metric.characters": ("উত্তরে কত অক্ষর", "Characters of a reply"),
    "metric.intent_question": ("প্রশ্ন করে", "Asks"),
    "metric.intent_acknowledge": ("মনের কথাটা ধরে", "Acknowledges"),
    "metric.intent_console": ("সান্ত্বনা দেয়", "Consoles"),
    "metric.intent_agree": ("সায় দেয়", "Agrees"),
    "metric.intent_encourage": ("সাহস জোগায়", "Encourages"),
    "metric.intent_sympathise": ("সমব্যথী হয়", "Sympathises"),
    "metric.intent_suggest": ("পরামর্শ দেয়", "Suggests"),
    "metric.intent_wish": ("শুভকামনা জানায়", "Wishes well"),
    # pictures
    "spread.title": ("একেকটা উত্তরে কেমন", "Reply by reply"),
    "spread.note": (
        "উঁচু দাগ মানে ওই মানের উত্তর বেশি।",
        "The taller a bar, the more replies have a figure near there.",
    ),
    "spread.median": ("মাঝের মান", "median"),
    "spread.half": ("অর্ধেক {low} থেকে {high}", "half of them {low} to {high}"),
    "topics.title": ("কোন বিষয়ে কেমন", "By topic"),
    "topics.note": (
        "গোলটা তফাত, আড়াআড়ি দাগটা ৯৫% সীমা, খাড়া দাগ মানে কোনো তফাত নেই। কুড়িটা বিষয়ে আসল তফাত না থাকলেও একটায় দৈবাৎ তফাত দেখা যেতে পারে।",
        "The dot is the difference, its line the range with 95\u00a0% confidence; at the upright line there is none."
        " Of twenty topics without any difference about one seems to have one by chance.",
    ),
    "topics.bits_per_character": ("প্রতি অক্ষরে বিট: বাঁ দিকে গেলে ভালো", "Bits per character: to the left is better"),
    "topics.chrf": ("chrF++: ডান দিকে গেলে ভালো", "chrF++: to the right is better"),
    "topics.others": ("বাকি সব", "all others"),
    "steps.title": ("শিখতে শিখতে", "While it learnt"),
    "steps.note": (
        "যাচাইয়ের উত্তরে প্রতি অক্ষরে কত বিট লাগে, শেখার ধাপ ধরে। শূন্য ধাপ মানে শেখার আগে।",
        "Bits per character of the references against training step. Step 0 is before training.",
    ),
    "steps.step": ("ধাপ", "Step"),
    # samples, judge, how it was done
    "samples.title": ("কয়েকটা উত্তর", "Some replies"),
    "samples.note": (
        "chrF++-এর হিসাবে যেগুলোতে সবচেয়ে এগিয়েছে, আর যেগুলোতে সবচেয়ে পিছিয়েছে।",
        "Those on which it gained most by chrF++, and those on which it lost most.",
    ),
    "samples.question": ("প্রশ্ন", "Question"),
    "samples.reference": ("আসল উত্তর", "Reference"),
    "judge.title": ("বিচারক মডেল কী বলে", "What a judge model says"),
    "judge.rate": (
        "{judge} যে {decided}টি জোড়ায় একটাকে বেছেছে, তার {rate}-এ শেখানো মডেলের উত্তর ({between})।",
        "Of the pairs that {judge} decided ({decided}), {rate} went to the fine-tuned model ({between}).",
    ),
    "judge.none": ("{judge} কোনো জোড়াতেই একটাকে বাছেনি।", "{judge} decided no pair."),
    "judge.swapped": (
        "প্রতি জোড়া জায়গা বদলে দুবার দেখানো হয়েছে। {inconsistent}টিতে দুবার দুরকম বলেছে, সেগুলো সমান ধরা হয়েছে।",
        "Each pair was shown twice, the replies changing places. Pairs on which it changed its mind count as ties:"
        " {inconsistent}.",
    ),
    "judge.agreement": (
        "মানুষও বিচার করেছেন এমন {shared}টি জোড়ায় বিচারক {rate} ক্ষেত্রে তাঁদের সঙ্গে একমত।",
        "On pairs that people judged too ({shared}) it said the same as they did in {rate} of cases.",
    ),
    "judge.alone": (
        "এই জোড়াগুলো কোনো মানুষ বিচার করেননি, তাই বিচারকের কথা কতটা মানা যায়, জানা নেই।",
        "No person judged these pairs, so how far the judge can be believed is not known.",
    ),
    "how.title": ("কীভাবে মাপা হয়েছে", "How it was measured"),
    "how.run": ("রান", "Run"),
    "how.split": ("ভাগ", "Split"),
    "how.base": ("মূল মডেল", "Base"),
    "how.adapter": ("অ্যাডাপ্টার", "Adapter"),
    "how.format": ("ফরম্যাট", "Format"),
    "how.settings": ("লেখার সেটিংস", "Settings of the replies"),
    "how.date": ("প্রতিবেদনের তারিখ", "Date of this report"),
    "how.bertscore": ("BERTScore", "BERTScore"),
    "how.bertscore.none": ("হিসাব করা হয়নি: এর মডেলটা এখানে নেই।", "Not run: the weights it needs are not here."),
    "limits.title": ("এই ফল যা বলে না", "What this does not say"),
    "limits.empathy": (
        "কোনো মাপই সহমর্মিতা মাপে না। সেটা বলতে পারে মানুষ, কোনটা কার লেখা না জেনে পড়ে।",
        "None of these figures measures empathy. People do that, in the blind review.",
    ),
    "limits.overlap": (
        "আসল উত্তরের সঙ্গে শব্দ না মিললেও উত্তর ভালো হতে পারে।",
        "A reply may share no word with its reference and still be a good one.",
    ),
    "limits.greedy": (
        "উত্তরগুলো লেখা হয়েছে সবচেয়ে সম্ভাব্য শব্দ ধরে, একবারই। আলাপে লেখা উত্তর অন্য রকম হতে পারে।",
        "Replies were written greedily, once. In a chat they come out differently.",
    ),
    # two runs against each other
    "between.title": ("দুটো রান পাশাপাশি", "Two runs against each other"),
    "between.fewer": (
        "একই {prompts}টি প্রশ্নের আসল উত্তরে {first}-এর চেয়ে {second}-এর {saved} কম বিট লাগে।",
        "For the references of the same questions ({prompts}), {second} needs {saved} fewer bits than {first}.",
    ),
    "between.more": (
        "একই {prompts}টি প্রশ্নের আসল উত্তরে {first}-এর চেয়ে {second}-এর {saved} বেশি বিট লাগে।",
        "For the references of the same questions ({prompts}), {second} needs {saved} more bits than {first}.",
    ),
    "between.open": (
        "একই {prompts}টি প্রশ্নের আসল উত্তরে {first} আর {second}-এর কার কম বিট লাগে, বলা যায় না।",
        "Which of {first} and {second} needs fewer bits for the references of the same questions ({prompts}) cannot be told.",
    ),
    "between.better": ("{run} এগিয়ে: {metrics}।", "{run} is better by: {metrics}."),
    "between.neither": (
        "কোনো মাপেই একটাকে এগিয়ে বলা যায় না।",
        "By no figure can one of them be called better.",
    ),
    "between.note": (
        "বন্ধনীতে ৯৫% সীমা। তফাত প্রশ্ন ধরে ধরে: {second} বিয়োগ {first}; শতাংশের তফাত শতাংশ-বিন্দুতে। আসল তফাত না থাকলেও প্রতি"
        " কুড়িটা মাপের একটায় দৈবাৎ ভালো বা খারাপ লেখা হতে পারে।",
        "In brackets the range with 95\u00a0% confidence. Differences are taken question by question, {second} less {first};"
        " those of shares are percentage points. Even if the two were alike, about one figure in twenty would be marked"
        " by chance.",
    ),
    "between.training": (
        "সীমাটা বলে, অন্য প্রশ্ন হলে ফল কতটা বদলাত। একই রেসিপিতে আবার শেখালে কতটা বদলাত, তা বলে না। তাই ছোট তফাতে ভরসা করার"
        " আগে অন্য সীড দিয়ে আরেকবার শিখিয়ে দেখুন।",
        "The ranges say what other questions would change, not what training again would. Before you trust a small"
        " difference, train once more with another seed.",
    ),
    "between.leakage": ("{run}: {told}", "{run}: {told}"),
    "between.differs.format": (
        "দুটোর প্রম্পট ফরম্যাট আলাদা ({first} আর {second}), তফাতটা তার জন্যও হতে পারে।",
        "The two have different prompt formats ({first} and {second}), which may be part of the difference.",
    ),
    "between.differs.system_prompt": (
        "দুটোর সিস্টেম প্রম্পট আলাদা, তফাতটা তার জন্যও হতে পারে।",
        "The two have different system prompts, which may be part of the difference.",
    ),
    "between.differs.repetition_penalty": (
        "দুটোর repetition_penalty আলাদা ({first} আর {second}), তফাতটা তার জন্যও হতে পারে।",
        "The two have different values of repetition_penalty ({first} and {second}), which may be part of the difference.",
    ),
    "between.samples": ("যেখানে তফাত সবচেয়ে বেশি", "Where they differ most"),
    "between.samples.note": (
        "chrF++-এর হিসাবে যেগুলোতে {second} সবচেয়ে এগিয়ে, তারপর যেগুলোতে সবচেয়ে পিছিয়ে।",
        "Those on which {second} is furthest ahead by chrF++, then those on which it is furthest behind.",
    ),
    "table.show": ("সংখ্যাগুলো ছকে দেখুন", "The figures as a table"),
    "table.what": ("কী", "What"),
    "table.difference": ("তফাত", "Difference"),
    "table.prompts": ("প্রশ্ন", "Questions"),
}


def evaluation_words(language: str) -> dict[str, str]:
    """The words of an evaluation in one language, as `finetune.review.evaluation_report` wants them."""
    column = LANGUAGES.index(language)
    return {key: texts[column] for key, texts in EVALUATION.items()}
