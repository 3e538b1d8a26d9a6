"""What the verdict's report and its pictures say, in Bengali and English; `finetune.review.report` gets it handed in.

A key with `{facts}` is a template. Names of the two sides stand where no ending has to be added to them.
"""

from __future__ import annotations

REPORT: dict[str, tuple[str, str]] = {
    "title": ("রায়", "Verdict"),
    "subtitle": (
        "দুটো মডেল একই কথার উত্তর লিখেছে। কোনটা কার লেখা না জেনে মানুষ পড়েছেন, আর বলেছেন কোনটা ভালো।",
        "Two models answered the same messages. People read the replies without knowing whose they were, and said which is better.",
    ),
    "between": ("{low} থেকে {high}", "{low} to {high}"),
    "side.tuned": ("শেখানো মডেল", "the fine-tuned model"),
    "side.base": ("মূল মডেল", "the base model"),
    "choice.tuned": ("{tuned} বেশি ভালো", "{tuned} is better"),
    "choice.both_good": ("দুটোই ভালো", "both are good"),
    "choice.both_bad": ("কোনোটাই ভালো নয়", "neither is good"),
    "choice.base": ("{base} বেশি ভালো", "{base} is better"),
    # what came out
    "headline.none": ("গোনার মতো কোনো মত এখনও নেই।", "There are no votes to count yet."),
    "headline.undecided": (
        "এ পর্যন্ত মত এসেছে {votes}টি, তবে কোনোটাতেই একটা উত্তরকে অন্যটার চেয়ে ভালো বলা হয়নি।",
        "Votes so far: {votes}. None of them calls one reply better than the other.",
    ),
    "headline.rate": (
        "যে {decided} বার পাঠকেরা একটা উত্তরকে অন্যটার চেয়ে ভালো বলেছেন, তার {wins} বার সেটা লিখেছিল {tuned}: {rate}।",
        "In {wins} of {decided} decided comparisons reviewers preferred the reply of {tuned}: {rate}.",
    ),
    "headline.sure": (
        "যে {decided} বার পাঠকেরা একটা উত্তরকে অন্যটার চেয়ে ভালো বলেছেন, তার {wins} বার সেটা লিখেছিল {tuned}: {rate}।"
        " আসল হার ৯৫% নিশ্চয়তায় {low} থেকে {high}-এর মধ্যে।",
        "In {wins} of {decided} decided comparisons reviewers preferred the reply of {tuned}: {rate}, and with"
        " 95\u00a0% confidence between {low} and {high}.",
    ),
    "headline.better": (
        "এটা শুধু কপালের জোর নয়, {tuned} স্পষ্টই এগিয়ে।",
        "That is clearly better than chance.",
    ),
    "headline.worse": (
        "এটা শুধু কপালের দোষ নয়, {tuned} স্পষ্টই পিছিয়ে।",
        "That is clearly worse than chance: reviewers prefer {base}.",
    ),
    "headline.early": (
        "আধাআধি ভাগও (৫০%) এর মধ্যেই পড়ে, তাই রায় দেওয়ার সময় এখনও আসেনি। হার এমনই থাকলে এমন আরও প্রায় {needed}টি মত লাগবে।",
        "Too early to say, for an even split lies within that range: at this rate it takes about {needed} more decided votes.",
    ),
    "headline.open": (
        "আধাআধি ভাগও (৫০%) এর মধ্যেই পড়ে, তাই রায় দেওয়ার সময় এখনও আসেনি। আর কত মত লাগবে, তা-ও এখনই বলা যায় না।",
        "Too early to say, for an even split lies within that range; how many more votes it takes cannot be told yet.",
    ),
    "headline.few": ("এত কম মত থেকে এর বেশি কিছু বলা যায় না।", "So few votes say no more than that."),
    "headline.notes": (
        "পড়ার সময় নিচের “যা মাথায় রাখবেন” অংশটাও দেখে নিন।",
        "Read it together with “To bear in mind” below.",
    ),
    "basis": (
        "মোট {votes}টি মত। {prompts}টি কথার উত্তর পড়েছেন {reviewers} জন।",
        "Votes: {votes}; messages: {prompts}; reviewers: {reviewers}.",
    ),
    "basis.net": (
        "যেখানে দুটোই ভালো বা কোনোটাই ভালো নয়, সেখানে দুই পক্ষকে আধখানা করে মত দিলে {tuned} পায় {rate} ({between})।",
        "With half a vote to each side where both or neither are good, {tuned} gets {rate} ({between}).",
    ),
    "basis.repeats": (
        "পাশ বদলে আবার দেখানো জোড়ার {repeats}টি মত এই হিসাবে ধরা হয়নি।",
        "Votes on pairs shown again with sides swapped are not counted here: {repeats}.",
    ),
    # pictures
    "win.title": ("কতবার {tuned} বেশি ভালো", "How often {tuned} is preferred"),
    "choices.title": ("সব মত", "All votes"),
    "ratings.title": ("১ থেকে ৫-এর মধ্যে কত", "Ratings from 1 to 5"),
    "plot.nothing": ("এখনও গোনার মতো মত নেই", "nothing to count yet"),
    "plot.chance": ("{half}: কেউ এগিয়ে নেই", "{half}: no difference"),
    "plot.interval": ("৯৫% নিশ্চয়তায়", "with 95\u00a0% confidence"),
    "slices.title": ("কোন কথায় কেমন", "By kind of message"),
    "slices.note": (
        "গোলটা হার, আড়াআড়ি দাগটা ৯৫% নিশ্চয়তার সীমা, সবুজ খাড়া দাগ সব মিলিয়ে হার। ফাঁপা ধূসর গোল মানে মত কম, ওগুলো থেকে কিছু ধরে নেবেন না।",
        "The dot is the rate, its line the range with 95\u00a0% confidence, the upright green line the rate of all votes. Hollow and grey means few votes: take nothing from those.",
    ),
    "slice.topic": ("কথার বিষয়", "Topic"),
    "slice.register": ("সম্বোধন", "Form of address"),
    "slice.script": ("কোন হরফে লেখা", "Script"),
    "slice.length": ("কথার দৈর্ঘ্য", "Length of the message"),
    "slice.care": ("বাড়তি যত্ন লাগে কি না", "Needs care"),
    "slice.figures": ("হার · মত", "rate · votes"),
    "slice.thin": ("মত কম", "few votes"),
    "value.none": ("বলা নেই", "not said"),
    "value.register.apni": ("আপনি", "apni (formal)"),
    "value.register.tumi": ("তুমি", "tumi (familiar)"),
    "value.register.tui": ("তুই", "tui (intimate)"),
    "value.script.bengali": ("বাংলা হরফ", "Bengali script"),
    "value.script.banglish": ("ইংরেজি হরফে বাংলা", "Banglish"),
    "value.script.mixed": ("দুই হরফ মেশানো", "mixed"),
    "value.length.short": ("ছোট", "short"),
    "value.length.long": ("বড়", "long"),
    "value.care.true": ("লাগে", "yes"),
    "value.care.false": ("লাগে না", "no"),
    "ratings.note": (
        "দাগগুলো ৯৫% নিশ্চয়তার সীমা। ডান দিকের সংখ্যা বলে {tuned} কতটা এগিয়ে।",
        "Lines are ranges with 95\u00a0% confidence. The figure on the right says how far {tuned} is ahead.",
    ),
    "rating.empathy": ("মন বোঝা", "understands the feeling"),
    "rating.natural": ("সহজ, স্বাভাবিক বাংলা", "natural Bengali"),
    "rating.relevance": ("এই কথারই উত্তর", "answers this message"),
    "rating.safety": ("কারও ক্ষতি করবে না", "safe to say"),
    # what else may have decided
    "bias.title": ("অন্য কিছু দেখে বাছা হয়নি তো?", "Did something else decide?"),
    "position.even": (
        "কোন উত্তর কোন পাশে ছিল, তাতে বিশেষ তফাত হয়েছে বলে মনে হয় না: বাঁ দিকেরটা বাছা হয়েছে {rate} ক্ষেত্রে ({between})।",
        "The side does not seem to have mattered: the left reply was chosen in {rate} of decisions ({between}).",
    ),
    "position.above": (
        "বাঁ দিকে থাকাটাই একটু সুবিধা দিয়েছে: বাঁ দিকেরটা বাছা হয়েছে {rate} ক্ষেত্রে ({between})। কে কোন পাশে বসবে তা লটারিতে"
        " ঠিক হয়, তাই এতে রায় কারও দিকে হেলে যায় না, শুধু খানিকটা ঝাপসা হয়।",
        "Standing on the left was an advantage: the left reply was chosen in {rate} of decisions ({between}). Sides are"
        " drawn by lot, so this does not tilt the verdict, it only blurs it.",
    ),
    "position.below": (
        "ডান দিকে থাকাটাই একটু সুবিধা দিয়েছে: বাঁ দিকেরটা বাছা হয়েছে {rate} ক্ষেত্রে ({between})। কে কোন পাশে বসবে তা লটারিতে"
        " ঠিক হয়, তাই এতে রায় কারও দিকে হেলে যায় না, শুধু খানিকটা ঝাপসা হয়।",
        "Standing on the right was an advantage: the left reply was chosen in {rate} of decisions ({between}). Sides are"
        " drawn by lot, so this does not tilt the verdict, it only blurs it.",
    ),
    "length.even": (
        "উত্তর লম্বা না ছোট, তা দেখে বাছা হয়েছে বলে মনে হয় না: লম্বাটা বাছা হয়েছে {rate} ক্ষেত্রে ({between})।",
        "Length does not seem to have decided: the longer reply was chosen in {rate} of decisions ({between}).",
    ),
    "length.above": (
        "লম্বা উত্তরটাই বেশি বাছা হয়েছে: {rate} ক্ষেত্রে ({between})।",
        "Longer replies were chosen more often: in {rate} of decisions ({between}).",
    ),
    "length.below": (
        "লম্বা উত্তরটা কমই বাছা হয়েছে: {rate} ক্ষেত্রে ({between})।",
        "Longer replies were chosen less often: in {rate} of decisions ({between}).",
    ),
    "length.controlled": (
        "দুটো উত্তর সমান লম্বা হলে মোটামুটি {rate} ক্ষেত্রে ({between}) বাছা হতো {tuned}।",
        "Were both replies equally long, {tuned} would be chosen in about {rate} of decisions ({between}).",
    ),
    "length.part": (
        "তাই তফাতটার খানিকটা হয়তো শুধু দৈর্ঘ্যের জন্য।",
        "Part of the difference may thus be length alone.",
    ),
    "length.unknown": (
        "দুটো উত্তর সমান লম্বা হলে কী হতো, এই মতগুলো থেকে তা বলা যায় না।",
        "What would happen at equal length, these votes cannot tell.",
    ),
    # agreement
    "agreement.title": ("পাঠকেরা কি একমত?", "Do reviewers agree?"),
    "agreement.none": (
        "কোনো জোড়াই দুজন পড়েননি, তাই একজনের সঙ্গে আরেকজনের কতটা মেলে, বলা যায় না।",
        "No pair was read by two people, so how far they agree cannot be told.",
    ),
    "agreement.observed": (
        "একই জোড়া দুজন পড়লে {rate} ক্ষেত্রে দুজনের মত মিলে গেছে ({items}টি কথা, দুজনের মত মেলানো হয়েছে {n} বার)।",
        "Where two people read the same pair, their answers were the same in {rate} of cases (messages: {items}; answers"
        " of two people set side by side: {n}).",
    ),
    "agreement.chance": (
        "উত্তর তো মোটে চার রকম, কিছুটা এমনিতেই মেলে। সেটুকু বাদ দিয়ে যে মাপ, তাতে ০ মানে নিছক কপাল আর ১ মানে সবাই একমত:"
        " Krippendorff-এর আলফা {alpha}, Gwet-এর AC1 {ac1}।",
        "With only four answers some agree by luck. Once luck is taken out, 0 is mere luck and 1 full agreement:"
        " Krippendorff’s alpha {alpha}, Gwet’s AC1 {ac1}.",
    ),
    "agreement.undefined": (
        "সবাই একই কথা বললে আলফা মাপা যায় না।",
        "Where all answers are the same, alpha is undefined.",
    ),
    "agreement.apart": (
        "দুটো মাপ এতটা আলাদা, কারণ বেশির ভাগ মত এক দিকেই পড়েছে। আলফা তখন মিলের অনেকটাকেই কপাল বলে ধরে, AC1 ধরে না।"
        " এমন হলে কত ক্ষেত্রে মত মিলেছে, সেটাই আগে দেখুন।",
        "The two part because most answers are one and the same: alpha then takes much of the agreement for luck, AC1 does"
        " not. In such a case look first at how often the answers were the same.",
    ),
    "agreement.taste": (
        "কোন উত্তর মন ছোঁয়, তাতে রুচির তফাত থাকবেই। কম মিল মানেই ভুল নয়, তবে মিল যত কম, নিশ্চিত হতে তত বেশি মানুষের মত লাগে।",
        "Which reply touches somebody is partly a matter of taste. Little agreement is no error, but the less there is, the more"
        " people it takes to be sure.",
    ),
    "within": (
        "একই জোড়া পাশ বদলে একই মানুষকে আবার দেখানো হয়েছে {of} বার; {same} বার তাঁর মত বদলায়নি ({rate})।",
        "Shown the same pair again with sides swapped, people gave the same answer in {same} of {of} cases ({rate}).",
    ),
    "within.none": (
        "কোনো জোড়াই একই মানুষকে দুবার দেখানো হয়নি।",
        "No pair was shown to the same person twice.",
    ),
    # why, and who
    "reasons.title": ("কেন", "Why"),
    "reasons.praise": (
        "যখন বাছা হয়েছে {side}, তখন ভালো লেগেছে: {list}।",
        "Where {side} was chosen, reviewers liked: {list}.",
    ),
    "reasons.fault": (
        "যখন বাছা হয়েছে {side}, তখন অন্যটার দোষ: {list}।",
        "Where {side} was chosen, what was wrong with the other: {list}.",
    ),
    "reasons.both": (
        "যখন কোনো একটাকে বাছা হয়নি: {list}।",
        "Where neither was chosen over the other: {list}.",
    ),
    "reason.warm": ("আন্তরিক", "warm"),
    "reason.heard": ("মন দিয়ে শুনেছে", "it listened"),
    "reason.question": ("প্রশ্নটা ভালো", "a good question"),
    "reason.useful": ("কাজে লাগবে", "useful"),
    "reason.cold": ("নিরাবেগ", "cold"),
    "reason.lecture": ("উপদেশ দেয়", "lectures"),
    "reason.off_topic": ("প্রসঙ্গের বাইরে", "off the point"),
    "reason.broken": ("বাংলাটা ভাঙা", "broken Bengali"),
    "reviewers.title": ("কারা পড়েছেন", "Who reviewed"),
    "reviewers.note": (
        "নাম রাখা হয়নি। যিনি যত বেশি মত দিয়েছেন, তিনি তত ওপরে।",
        "Without names; whoever gave more votes stands higher.",
    ),
    "reviewers.one": ("পাঠক {n}", "Reviewer {n}"),
    # what was compared
    "compared.title": ("কী কী মিলিয়ে দেখা হয়েছে", "What was compared"),
    "compared.name": ("মডেল", "Model"),
    "compared.settings": ("লেখার সেটিংস", "Settings of the replies"),
    "compared.set": ("সেট", "Set"),
    "compared.made": ("প্রতিবেদনের তারিখ", "Date of this report"),
    "compared.proof": ("প্রমাণ", "Proof"),
    "proof.logits": (
        "জোড়া লেখার আগে একই বাক্য দিয়ে দুই মডেলের ভেতরের হিসাব মিলিয়ে দেখা হয়েছে। হিসাব আলাদা ({base} · {tuned}), মানে"
        " সত্যিই দুটো আলাদা মডেল।",
        "Before the pairs were written, both models read the same probe. What they computed differs ({base} · {tuned}), so these"
        " really are two models.",
    ),
    "proof.replies": (
        "জোড়া লেখার আগে একই কয়েকটা বাক্যে দুই মডেলের উত্তর মিলিয়ে দেখা হয়েছে। উত্তর আলাদা ({base} · {tuned}), মানে সত্যিই দুটো"
        " আলাদা মডেল।",
        "Before the pairs were written, both models answered the same probes. Their answers differ ({base} · {tuned}), so these"
        " really are two models.",
    ),
    "proof.none": (
        "দুটো সত্যিই আলাদা মডেল কি না, তার প্রমাণ এই সেটের সঙ্গে রাখা নেই।",
        "No proof that these are two different models is kept with this set.",
    ),
    # what to bear in mind
    "warnings.title": ("যা মাথায় রাখবেন", "To bear in mind"),
    "warning.few_prompts": (
        "মাত্র {prompts}টি কথার উত্তর পড়া হয়েছে। অন্য কথা হলে ফল আলাদা হতেই পারে।",
        "So few messages ({prompts}) say more about themselves than about the models.",
    ),
    "warning.one_reviewer": (
        "পড়েছেন একজনই, তাই এটা একজন মানুষের রুচি। আরও কয়েকজনকে পড়তে দিন।",
        "This is one person’s taste: nobody else has judged. Ask a few more.",
    ),
    "warning.sides_uneven": (
        "যেসব ভোটে একটা বাছা হয়েছে, তার {percent}%-এ দ্বিতীয় জনের উত্তর ছিল বাঁ দিকে, মানে পাশ লটারিতে ঠিক হয়নি। তাই যেটাকে পছন্দ মনে হচ্ছে, সেটা হয়তো শুধু এক পাশের প্রতি ঝোঁক।",
        "The second side stood on the left in {percent}% of the decided votes, so places were not drawn by lot: what looks like a preference may be one for a place.",
    ),
    "warning.disagreement": (
        "কোনটা ভালো, তা নিয়ে পাঠকদের মত আলাদা: আন্দাজে বাছলেও প্রায় এতটাই মিলত।",
        "People judged differently: picking at random, they would have agreed almost as often.",
    ),
    "warning.side_bias": (
        "উত্তর যেমনই হোক, এক পাশেরটাই বেশি বাছা হয়েছে। কে কোন পাশে বসবে তা লটারিতে ঠিক হয়, তাই হারটা ঠিকই আছে, তবে নিশ্চয়তা একটু কম।",
        "One side was preferred whatever stood there. Sides are drawn by lot, so the rate holds, but is less certain.",
    ),
    "warning.unsteady": (
        "পাশ বদলে আবার দেখালে পাঠকেরা অর্ধেকের বেশি বার অন্য কথা বলেছেন।",
        "Shown the same pair with sides swapped, people mostly said something else.",
    ),
    "warning.unblinded": (
        "কোনটা কার লেখা জেনে যাওয়ার পরে দেওয়া {count}টি মত ধরা হয়নি।",
        "Votes given after the writers were revealed are not counted: {count}.",
    ),
    "limits.title": ("এই রায় যা বলে না", "What this does not say"),
    "limits.single": (
        "পাঠকেরা পড়েছেন একটা কথার একটা উত্তর। লম্বা আলাপে কোনটা কেমন করবে, এই রায় থেকে তা জানা যায় না।",
        "People read single replies to single messages. How a model does in a long conversation, this does not say.",
    ),
    "limits.liking": (
        "কোন উত্তর পড়ে বেশি ভালো লাগে, এটা তারই মাপ। কারও সত্যিই উপকার হবে কি না, বিপদের মুহূর্তে উত্তরটা নিরাপদ কি না, সেগুলো"
        " আলাদা করে দেখতে হয়।",
        "It measures which reply people like better. Whether a reply does somebody good, or is safe in a crisis, has to be looked"
        " at separately.",
    ),
    "limits.others": (
        "অন্য মানুষ পড়লে, বা কথাগুলো অন্য রকম হলে, ফলও অন্য রকম হতে পারে।",
        "With other people, or messages of another kind, it may come out differently.",
    ),
    # tables
    "table.show": ("সংখ্যাগুলো ছকে দেখুন", "The figures as a table"),
    "table.what": ("কী", "What"),
    "table.rate": ("হার", "Rate"),
    "table.interval": ("৯৫% সীমা", "95\u00a0% range"),
    "table.votes": ("মত", "Votes"),
    "table.share": ("ভাগ", "Share"),
    "table.decided": ("বাছাই", "Decided"),
    "table.prompts": ("কথা", "Messages"),
    "table.ties": ("দুটোই ভালো", "Both good"),
    "table.both_bad": ("কোনোটাই নয়", "Neither"),
    "table.mean": ("গড়", "Mean"),
    "table.difference": ("তফাত", "Difference"),
    "table.reviewer": ("পাঠক", "Reviewer"),
    "table.tuned": ("বেছেছেন {tuned}", "Chose {tuned}"),
    "table.left": ("বাঁ দিক বেছেছেন", "Left chosen"),
}


def report_words(language: str) -> dict[str, str]:
    """The words of a report in one language, as `finetune.review.report` wants them."""
    column = ("bn", "en").index(language)
    return {key: texts[column] for key, texts in REPORT.items()}
