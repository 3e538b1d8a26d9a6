"""What the Evaluate tab says, in Bengali and English; what figures are called stands in `evaluation_words.py`."""

from __future__ import annotations

from finetune.review.evaluation_words import EVALUATION

LABELS: dict[str, tuple[str, str]] = {
    "tab.evaluate": ("মূল্যায়ন", "Evaluate"),
    "evaluate.page.ask": ("শুরু", "Ask"),
    "evaluate.page.figures": ("ফল", "Results"),
    "evaluate.page.replies": ("উত্তর", "Replies"),
    "evaluate.page.judge": ("বিচারক", "Judge"),
    "evaluate.whose": ("কোন মডেল যাচাই করবেন", "Model to evaluate"),
    "evaluate.whose.info": (
        "একাধিক বাছলে একটার পর একটা হবে। প্রত্যেককে মূল মডেলের পাশে রেখে মাপা হয়।",
        "Several are taken one after the other. Each is measured beside the base model.",
    ),
    "evaluate.split": ("কোন ভাগের প্রশ্ন", "Questions of which split"),
    "evaluate.split.info": (
        "দুটোই শেখানোর সময় আলাদা রাখা ছিল। শেষ ফল জানতে পরীক্ষার ভাগ নিন।",
        "Both were kept aside while it learnt. Take the test split for the final figures.",
    ),
    "evaluate.split.test.long": ("পরীক্ষার ভাগ", "Test"),
    "evaluate.split.validation.long": ("যাচাইয়ের ভাগ", "Validation"),
    "evaluate.count": ("কতগুলো প্রশ্ন", "How many questions"),
    "evaluate.count.info": (
        "ভাগে এর চেয়ে কম থাকলে সবগুলোই করা হবে। ৪০০টায় সাধারণ ল্যাপটপে ডেমো মডেলের মিনিটখানেক লাগে।",
        "All of them where the split has fewer. For the demo model 400 take about a minute on a laptop.",
    ),
    "evaluate.everything": ("ভাগের সব প্রশ্ন", "All questions of the split"),
    "evaluate.everything.info": (
        "শেষ ফলের জন্য এটাই নিন। কম প্রশ্নে শুধু চট করে দেখে নেওয়া যায়।",
        "For the final figures. Fewer questions are for a quick look.",
    ),
    "evaluate.steps": ("চেকপয়েন্টগুলোও মাপুন", "Measure the checkpoints, too"),
    "evaluate.steps.info": (
        "শিখতে শিখতে প্রতি অক্ষরে বিট কত কমেছে, তার ছবি হবে, সবসময় যাচাইয়ের ভাগে: পরীক্ষার ভাগ দেখে চেকপয়েন্ট বাছলে সেটা আর"
        " পরীক্ষা থাকে না। রানের চেকপয়েন্ট থাকলে তবেই।",
        "For a picture of bits per character against training step, always on the validation split: a test split by which"
        " a checkpoint was chosen is no test any more. Only for runs that still have checkpoints.",
    ),
    "evaluate.start": ("মূল্যায়ন শুরু করুন", "Start evaluating"),
    "evaluate.go_on": ("যেখানে থেমেছিল, সেখান থেকে চালান", "Go on where it stopped"),
    "evaluate.which": ("কোন মূল্যায়ন", "Evaluation"),
    "evaluate.against": ("কোন রানের সঙ্গে মেলাবেন", "Against another run"),
    "evaluate.spread": ("যে কোনো মাপ উত্তর ধরে ধরে", "Any figure, reply by reply"),
    "evaluate.spread.of": ("কোন মাপ", "Figure"),
    "evaluate.take": ("নামিয়ে নিন", "Download"),
    "evaluate.scores": ("সব সংখ্যা (JSON)", "All figures (JSON)"),
    "evaluate.sort": ("কোন মাপে সাজাবেন", "Sort by"),
    "evaluate.sort.of": ("কার", "Of"),
    "evaluate.sort.base": EVALUATION["side.base"],
    "evaluate.sort.tuned": EVALUATION["side.tuned"],
    "evaluate.sort.difference": ("তফাত", "Difference"),
    "evaluate.order": ("কোনটা আগে", "First"),
    "evaluate.order.most": ("বেশি যেখানে", "The highest"),
    "evaluate.order.least": ("কম যেখানে", "The lowest"),
    "evaluate.topic": ("বিষয়", "Topic"),
    "evaluate.search": ("কোনো শব্দ খুঁজুন", "Search for words"),
    "evaluate.search.hint": ("লিখে এন্টার চাপুন", "Type, then press Enter"),
    "evaluate.before": ("← আগেরগুলো", "← Earlier"),
    "evaluate.after": ("পরেরগুলো →", "Later →"),
    "evaluate.csv": ("CSV", "CSV"),
    "evaluate.json": ("JSON", "JSON"),
    "judge.note": (
        "একটা বড় মডেলকে জিজ্ঞেস করা যায় কোন উত্তরটা ভালো। প্রতি জোড়া জায়গা বদলে দুবার দেখানো হয়। মডেল মানুষের বদলি নয়, তাই"
        " মানুষের রায়ের সঙ্গে কতটা মেলে সেটাও পাশে থাকে। প্রশ্ন আর উত্তর ওই সার্ভারে যায়, সংকটের কথাগুলো ছাড়া।",
        "A large model can be asked which reply is better. Each pair is shown twice, the replies changing places. It is no"
        " substitute for people, so how far it agrees with their votes stands beside it. Questions and replies go to that"
        " server, but for what needs care.",
    ),
    "judge.what": ("কী বিচার করবে", "What to judge"),
    "judge.what.info": (
        "তুলনা ট্যাবের জোড়া নিলে মানুষের ভোটের সঙ্গে মিলিয়ে দেখা যায়।",
        "With a set of pairs from Compare, people's votes are there to hold it against.",
    ),
    "judge.model": ("বিচারক মডেলের নাম", "The judge's model"),
    "judge.url": ("তার সার্ভারের ঠিকানা", "Its server's address"),
    "judge.language": ("কোন ভাষায় জিজ্ঞেস করা হবে", "Asked in"),
    "judge.language.en": ("ইংরেজি", "English"),
    "judge.language.bn": ("বাংলা", "Bengali"),
    "judge.start": ("বিচারককে জিজ্ঞেস করুন", "Ask the judge"),
}

SENTENCES: dict[str, tuple[str, str]] = {
    "evaluate.none": (
        "এখনও কোনো মূল্যায়ন নেই। “শুরু” পাতা থেকে একটা করুন।",
        "No evaluation yet. Start one under “Ask”.",
    ),
    "evaluate.all": ("সব মূল্যায়ন", "All evaluations"),
    "evaluate.against.nobody": ("কারও সঙ্গে নয়", "None"),
    "evaluate.questions": ("{count}টি প্রশ্ন", "{count} questions"),
    "evaluate.split.test": ("পরীক্ষার ভাগ", "test"),
    "evaluate.split.validation": ("যাচাইয়ের ভাগ", "validation"),
    "evaluate.stage.begin": ("শুরু হচ্ছে", "Starting"),
    "evaluate.stage.bits": ("আসল উত্তরগুলো পড়ছে", "Reading the references"),
    "evaluate.stage.replies": ("দুজনই উত্তর লিখছে", "Both are answering"),
    "evaluate.stage.scores": ("হিসাব হচ্ছে", "Working the figures out"),
    "evaluate.stage.steps": ("চেকপয়েন্ট মাপছে", "Measuring checkpoints"),
    "evaluate.stage.judge": ("বিচারক পড়ছে", "The judge is reading"),
    "evaluate.at.bits": ("{total}টি প্রশ্নের {done}টি", "{done} of {total} questions"),
    "evaluate.at.replies": ("{total}টি প্রশ্নের {done}টি", "{done} of {total} questions"),
    "evaluate.at.scores": ("{total}টি প্রশ্ন", "{total} questions"),
    "evaluate.at.steps": ("{total}টি চেকপয়েন্টের {done}টি", "{done} of {total} checkpoints"),
    "evaluate.at.judge": ("{total}টি জোড়ার {done}টি", "{done} of {total} pairs"),
    "evaluate.run": ("{total}টির মধ্যে {number} নম্বর", "{number} of {total} to evaluate"),
    "evaluate.bar": ("পুরো কাজের কতটা হয়েছে", "How much of all is done"),
    "evaluate.stopping": ("থামছে, হাতের কাজটুকু শেষ হলেই", "Stopping after what is in hand"),
    "evaluate.done": ("হয়ে গেছে", "Done"),
    "evaluate.stopped": (
        "থামানো হয়েছে। যতটা হয়েছে রাখা আছে, আবার শুরু করলে সেখান থেকেই চলবে।",
        "Stopped. What is done is kept; start it again and it goes on from there.",
    ),
    "evaluate.left": ("একটা মূল্যায়ন শেষ হয়নি", "An evaluation is unfinished"),
    "evaluate.left.several": ("{count}টা মূল্যায়ন শেষ হয়নি", "{count} evaluations are unfinished"),
    "evaluate.left.newest": (
        "বোতাম চাপলে প্রথমটা চলবে, ওটাই সবচেয়ে নতুন।",
        "The button goes on with the first, which is the newest.",
    ),
    "evaluate.left.nothing": ("{total}টি প্রশ্ন, একটাও এখনও ধরা হয়নি", "{total} questions, none of them begun"),
    "evaluate.left.read": (
        "{total}টি প্রশ্নের {done}টির আসল উত্তর পড়া হয়েছে, উত্তর লেখা শুরু হয়নি",
        "references of {done} of {total} questions read, none answered yet",
    ),
    "evaluate.left.answered": ("{total}টি প্রশ্নের {done}টির উত্তর লেখা হয়েছে", "{done} of {total} questions answered"),
    "evaluate.topic.any": ("সব বিষয়", "All topics"),
    "evaluate.topic.none": ("বিষয় লেখা নেই", "Without a topic"),
    "evaluate.apart": ("তফাত: {value}", "Difference: {value}"),
    "evaluate.apart.points": ("তফাত: {value} শতাংশ-বিন্দু", "Difference: {value} percentage points"),
    "evaluate.found": ("{total}টির মধ্যে {first} থেকে {last}", "{first} to {last} of {total}"),
    "evaluate.found.none": ("এমন কোনো উত্তর পাওয়া গেল না।", "No reply fits."),
}
