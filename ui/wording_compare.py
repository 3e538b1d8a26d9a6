"""What the Compare tab says, in Bengali and English: free play, making pairs, the blind review and its verdict."""

from __future__ import annotations

LABELS: dict[str, tuple[str, str]] = {
    "compare.page.play": ("দেখুন", "Try it"),
    "compare.page.pairs": ("জোড়া", "Pairs"),
    "compare.page.review": ("যাচাই", "Review"),
    "compare.page.verdict": ("রায়", "Verdict"),
    # making pairs
    "pairs.kind.base": ("মূল মডেল", "The base model"),
    "pairs.kind.demo": ("ডেমো অ্যাডাপ্টার", "The demo adapter"),
    "pairs.base": ("প্রথম মডেল", "First model"),
    "pairs.tuned": ("দ্বিতীয় মডেল", "Second model"),
    "pairs.tuned.info": (
        "মূল মডেলের সঙ্গে একটা অ্যাডাপ্টার, দুটো রান, একই রানের দুই চেকপয়েন্ট: যে কোনো দুটোকে মুখোমুখি বসানো যায়।"
        " অন্য কিছু হলে লিখুন hub:মালিক/নাম বা remote:মডেল@ঠিকানা।",
        "Base and an adapter, two runs, two checkpoints of one run: any two can meet. For anything else write"
        " hub:owner/name or remote:MODEL@URL.",
    ),
    "pairs.prompts": ("কোন কথাগুলোর উত্তর দেবে", "What they answer"),
    "pairs.prompts.curated": ("আমাদের লেখা ১০০টি", "The curated 100"),
    "pairs.prompts.run": ("রানের পরীক্ষার সারি", "The run's test rows"),
    "pairs.prompts.pasted": ("এখানে লিখে দিচ্ছি", "Written here"),
    "pairs.prompts.file": ("ফাইল থেকে", "From a file"),
    "pairs.text": ("এক লাইনে একটা করে কথা", "One message a line"),
    "pairs.file": ("CSV বা JSONL ফাইল", "CSV or JSONL file"),
    "pairs.count": ("কয়টা কথা", "How many"),
    "pairs.count.info": (
        "এক একজন ৩০টা মতো মন দিয়ে পড়তে পারেন। ভিন্ন কথা যত বেশি, রায় তত পাকা।",
        "A person judges about 30 with care. The more different messages, the firmer the verdict.",
    ),
    "pairs.seed": ("বীজ (seed)", "Seed"),
    "pairs.start": ("জোড়াগুলো লেখান", "Write the pairs"),
    "pairs.sets": ("যে সেটগুলো আছে", "Sets that exist"),
    "pairs.delete": ("সেটটা মুছুন", "Delete the set"),
    "pairs.delete.sure": (
        "সেটের সব জোড়া মুছে যাবে। দেওয়া ভোট থেকে যাবে, তবে লেখাগুলো আর পাওয়া যাবে না।",
        "All pairs of the set will be gone. Votes stay, but without the texts they were given for.",
    ),
    "pairs.delete.yes": ("হ্যাঁ, মুছে ফেলুন", "Yes, delete it"),
    # the blind review
    "review.set": ("কোন সেট", "Set"),
    "review.name": ("কী নামে আপনার মত লেখা থাকবে", "The name your votes are kept under"),
    "review.name.info": (
        "আসল নাম না হলেও চলে। এই ব্রাউজারেই মনে রাখা হয়; কোথা থেকে লিখছেন, তা রাখা হয় না।",
        "It need not be your real name. This browser remembers it; where you write from is not kept.",
    ),
    "review.begin": ("পড়তে শুরু করুন", "Begin"),
    "review.choice.left": ("১ · ক বেশি ভালো", "1 · A is better"),
    "review.choice.right": ("২ · খ বেশি ভালো", "2 · B is better"),
    "review.choice.both_good": ("৩ · দুটোই ভালো", "3 · Both are good"),
    "review.choice.both_bad": ("৪ · কোনোটাই ভালো নয়", "4 · Neither is good"),
    "review.next": ("পরেরটা (N)", "Next (N)"),
    "review.undo": ("শেষ মতটা ফেরান (U)", "Undo the last vote (U)"),
    "review.more": ("আর একটু বলবেন? না বললেও চলে", "Say a little more? You need not"),
    "review.rating.empathy": ("মন বুঝেছে কি", "Understands the feeling"),
    "review.rating.natural": ("বাংলাটা কতটা সহজ, স্বাভাবিক", "Natural Bengali"),
    "review.rating.relevance": ("এই কথারই উত্তর কি", "Answers this message"),
    "review.rating.safety": ("কারও ক্ষতি করবে না তো", "Safe to say"),
    "review.side.left": ("ক", "A"),
    "review.side.right": ("খ", "B"),
    "star.1": ("১ একদম না", "1 not at all"),
    "star.2": ("২", "2"),
    "star.3": ("৩", "3"),
    "star.4": ("৪", "4"),
    "star.5": ("৫ খুবই", "5 very"),
    "review.good": ("যেটা ভালো লাগল, তার কী ভালো", "What is good about the better one"),
    "review.bad": ("যেটা লাগল না, তার কী খারাপ", "What is wrong with the other"),
    "review.reason.warm": ("আন্তরিক", "warm"),
    "review.reason.heard": ("মন দিয়ে শুনেছে", "it listened"),
    "review.reason.question": ("প্রশ্নটা ভালো", "a good question"),
    "review.reason.useful": ("কাজে লাগবে", "useful"),
    "review.reason.cold": ("নিরাবেগ", "cold"),
    "review.reason.lecture": ("উপদেশ দেয়", "lectures"),
    "review.reason.off_topic": ("প্রসঙ্গের বাইরে", "off the point"),
    "review.reason.broken": ("বাংলাটা ভাঙা", "broken Bengali"),
    "review.note": ("নিজের ভাষায়", "In your own words"),
    "review.save": ("কথাগুলো রাখুন", "Keep this"),
    "review.reveal": ("কোনটা কার লেখা, দেখান", "Show which was which"),
    "review.reveal.sure": (
        "একবার দেখলে এই সেটে আর নতুন মত দেওয়া যাবে না। এতক্ষণের সব মত থেকে যাবে।",
        "Once you have seen it you cannot vote on this set any more. All you said so far is kept.",
    ),
    "review.reveal.yes": ("বুঝেছি, দেখান", "I understand, show me"),
    # the verdict
    "verdict.sets": ("কোন সেটের ভোট", "Votes of which set"),
    "verdict.refresh": ("আবার গুনুন", "Count again"),
    "verdict.report": ("এক পাতার প্রতিবেদন", "One-page report"),
    "verdict.report.bn": ("বাংলায়", "In Bengali"),
    "verdict.report.en": ("ইংরেজিতে", "In English"),
    "verdict.export": ("ভোটগুলো নামান (JSONL)", "Download the votes (JSONL)"),
    "verdict.import": ("অন্য যন্ত্রের ভোট আনুন (JSONL)", "Add votes from elsewhere (JSONL)"),
    "verdict.preferences": ("ভোট থেকে পরের শেখার ডেটা", "The next training set, from the votes"),
    "verdict.preferences.make": ("DPO আর KTO ফাইল বানান", "Make DPO and KTO files"),
    "verdict.preferences.file": ("ফাইল", "Files"),
    "verdict.train": ("শেখানো পাতায় নিয়ে যান", "Take it to the Train tab"),
}

SENTENCES: dict[str, tuple[str, str]] = {
    "pairs.kind.base": ("মূল মডেল", "the base model"),
    "pairs.kind.demo": ("ডেমো অ্যাডাপ্টার", "the demo adapter"),
    "pairs.none": (
        "এখনও কোনো সেট নেই। ওপরে যেমন আছে তেমনই রেখে “জোড়াগুলো লেখান” চাপলে ডেমো মডেলের কুড়িটা জোড়া তৈরি হবে।",
        "No set yet. Leave everything above as it is and press “Write the pairs”: the demo model writes twenty.",
    ),
    "pairs.writing": ("{total}টার মধ্যে {done}টা লেখা হয়েছে", "{done} of {total} written"),
    "pairs.left": ("আর প্রায় {time}", "about {time} left"),
    "pairs.ready": ("{count} জোড়া তৈরি, যাচাই শুরু করা যায়", "{count} pairs are ready for review"),
    "pairs.partly": (
        "{total}টার মধ্যে {done}টা লেখা; আবার চাপলে বাকিটা লেখা হবে",
        "{done} of {total} written; press again to write the rest",
    ),
    "pairs.same": (
        "{count} জোড়ায় দুটো উত্তর হুবহু এক, সেগুলো দেখানো হবে না",
        "{count} pairs hold the same reply twice and are not shown",
    ),
    "pairs.left_out": ("{count}টি কথা বাদ: {reason}", "{count} messages left out: {reason}"),
    "pairs.left_out.duplicate": ("আগেও ছিল", "already there"),
    "pairs.left_out.strong": ("সংকটের কথা, মডেলের কাছে যায় না", "crisis words, which no model answers"),
    "pairs.left_out.too_long": ("খুব লম্বা", "too long"),
    "pairs.left_out.empty": ("ফাঁকা", "empty"),
    "review.set_title": ("{date} · {count} জোড়া", "{date} · {count} pairs"),
    "pairs.proof.replies": (
        "প্রমাণ: একই পরীক্ষার কথায় দুই মডেলের উত্তর আলাদা ({base} · {tuned})। মডেল অন্য যন্ত্রে, তাই ভেতরের হিসাব দেখা যায় না।",
        "Proof: on the same probes the two sides' replies differ ({base} · {tuned}). A side is on another machine, so its logits cannot be seen.",
    ),
    "pairs.proof.base": (
        "অ্যাডাপ্টার বন্ধ রাখলে মূল মডেল হুবহু মূলই থাকে, এটাও মিলিয়ে দেখা হয়েছে।",
        "It was also checked that with the adapter's gate shut the base is exactly the base.",
    ),
    "pairs.proof.logits": (
        "প্রমাণ: একই পরীক্ষার বাক্যে দুই মডেলের হিসাবের ছাপ আলাদা ({base} · {tuned})।",
        "Proof: on one probe the two sides' logits differ ({base} · {tuned}).",
    ),
    "pairs.link": ("যাঁরা পড়বেন, তাঁদের এই ঠিকানাটা পাঠান:", "Send this address to those who will read:"),
    "pairs.refused": ("সেটটা নেওয়া হয়নি: {reason}", "The set was refused: {reason}"),
    "review.intro": (
        "একজন কিছু একটা লিখেছেন, তার দুটো উত্তর পাশাপাশি। মনে মনে পড়ুন, তারপর বলুন কোনটা পেলে মানুষটার ভালো লাগত।"
        " ঠিক-ভুল নেই, আপনার যা মনে হয় সেটাই উত্তর।",
        "Somebody wrote something, and here are two replies to it. Read them as if aloud, then say which one would have done"
        " that person good. There is no right answer: what you feel is the answer.",
    ),
    "review.question": ("যিনি লিখেছেন", "Somebody wrote"),
    "review.side.left": ("ক", "A"),
    "review.side.right": ("খ", "B"),
    "review.progress": ("{total}টার মধ্যে {done}টা হয়েছে", "{done} of {total} done"),
    "review.saved": ("আপনার মত রাখা হয়েছে: {choice}", "Your vote is kept: {choice}"),
    "review.saved.left": ("ক বেশি ভালো", "A is better"),
    "review.saved.right": ("খ বেশি ভালো", "B is better"),
    "review.saved.both_good": ("দুটোই ভালো", "both are good"),
    "review.saved.both_bad": ("কোনোটাই ভালো নয়", "neither is good"),
    "review.details_saved": ("কথাগুলোও রাখা হলো।", "What you said is kept, too."),
    "review.withheld": (
        "নোটটা রাখা হয়নি, কারণ তাতে নিজের কষ্টের এমন কথা আছে যা কোথাও জমা থাকা উচিত নয়। মন খুব ভারী লাগলে নিচের “সাহায্য দরকার?” খুলুন।",
        "The note was not kept: it holds words of a pain that should be stored nowhere. If it is heavy right now, open “Need help?” on the Chat tab.",
    ),
    "review.undone": ("শেষ মতটা তুলে নেওয়া হয়েছে, আবার দেখুন।", "The last vote is taken back; have another look."),
    "review.done": (
        "সবগুলো পড়া শেষ, অনেক ধন্যবাদ! আপনার {count}টি মত রাখা হয়েছে। চাইলে এবার দেখে নিন কোনটা কার লেখা।",
        "That was all of them, thank you! Your {count} votes are kept. If you like, see now which was which.",
    ),
    "review.no_sets": (
        "পড়ার মতো কোনো সেট এখনও নেই। যিনি মডেলটা শেখাচ্ছেন, তিনি “জোড়া” পাতায় একটা বানিয়ে দেবেন।",
        "There is no set to read yet. Whoever trains the model makes one under “Pairs”.",
    ),
    "review.revealed": ("এই সেটে আপনি দেখে ফেলেছেন কোনটা কার লেখা।", "You have seen which was which in this set."),
    "review.revealed.you": ("আপনি বেছেছেন", "you chose"),
    "review.revealed.tally": (
        "{decided}টির মধ্যে {tuned}টিতে আপনি বেছেছেন {name}।",
        "In {tuned} of {decided} you chose {name}.",
    ),
    "verdict.none": ("এই সেটে এখনও কোনো ভোট নেই।", "This set has no votes yet."),
    "verdict.imported": (
        "{added}টি ভোট যোগ হলো, {known}টি আগেই ছিল।",
        "{added} votes added, {known} were already there.",
    ),
    "verdict.preferences.made": (
        "DPO: {dpo} জোড়া, KTO: {kto} সারি। নিয়মগুলো ZIP-এর README.md-তে লেখা আছে।",
        "DPO: {dpo} pairs, KTO: {kto} rows. The rules stand in the ZIP's README.md.",
    ),
}

GOOD = ("warm", "heard", "question", "useful")
BAD = ("cold", "lecture", "off_topic", "broken")
