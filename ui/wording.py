"""Every string that a person reads on the page, in Bengali and English. Only words live here.

`LABELS` are put in by the browser (gr.I18n), so that they follow the language at once; `SENTENCES`
are made on the server with facts in them. Errors are found by their key; in English the error's own
message is shown. Bengali figures are written with Bengali digits.
"""

from __future__ import annotations

from finetune.errors import FinetuneError, RecipeError

LANGUAGES = ("bn", "en")

LABELS: dict[str, tuple[str, str]] = {
    "brand": ("# সহমর্মী\nশেখান, পাশাপাশি দেখুন, কথা বলুন", "# Shohomormi\nTrain, compare, talk"),
    "language": ("English", "বাংলা"),
    "tab.train": ("শেখানো", "Train"),
    "tab.compare": ("তুলনা", "Compare"),
    "tab.chat": ("আলাপ", "Chat"),
    # train
    "train.recipe": ("রেসিপি", "Recipe"),
    "train.recipe.info": (
        "ডেমো রেসিপি এই কম্পিউটারেই মিনিটখানেকে শেষ হয়।",
        "The demo recipe takes about a minute on this machine.",
    ),
    "train.data": ("কোন লেখা থেকে শিখবে", "Data to learn from"),
    "train.data.recipe": ("রেসিপির ডেটা", "The recipe's data"),
    "train.data.upload": ("আমার ফাইল", "My file"),
    "train.file": ("CSV, JSONL বা Parquet ফাইল", "CSV, JSONL or Parquet file"),
    "train.columns": ("কলামের নাম", "Column names"),
    "train.question": ("প্রশ্নের কলাম", "Question column"),
    "train.answer": ("উত্তরের কলাম", "Answer column"),
    "train.settings": ("প্রধান সেটিংস", "Main settings"),
    "train.more": ("আরও সেটিংস", "More settings"),
    "train.tracking": ("Weights & Biases", "Weights & Biases"),
    "train.tracking.none": ("না", "Off"),
    "train.tracking.offline": ("অফলাইন", "Offline"),
    "train.tracking.online": ("অনলাইন", "Online"),
    "train.tracking.info": (
        "আপনি না চাইলে কিছুই বাইরে যায় না। অনলাইনের জন্য সার্ভারে WANDB_API_KEY থাকতে হবে।",
        "Nothing leaves this machine unless you ask. Online needs WANDB_API_KEY on the server.",
    ),
    "train.start": ("শেখানো শুরু করুন", "Start training"),
    "train.stop": ("থামিয়ে সংরক্ষণ করুন", "Stop and save"),
    "train.resume": ("আবার চালু করুন", "Resume"),
    "train.run": ("কোন রান দেখবেন", "Run to look at"),
    "train.loss": ("ক্ষতি (loss)", "Loss"),
    "train.rate": ("শেখার হার", "Learning rate"),
    "train.log": ("লগের শেষ অংশ", "End of the log"),
    "training.learning_rate": ("শেখার হার", "Learning rate"),
    "training.max_steps": ("ধাপের সংখ্যা", "Steps"),
    "training.per_device_train_batch_size": ("ব্যাচের মাপ", "Batch size"),
    "training.gradient_accumulation_steps": ("কয় ব্যাচে এক ধাপ", "Gradient accumulation"),
    "training.eval_steps": ("কয় ধাপ পরপর যাচাই", "Steps between evaluations"),
    "training.save_steps": ("কয় ধাপ পরপর সংরক্ষণ", "Steps between checkpoints"),
    "training.seed": ("বীজ (seed)", "Seed"),
    "adapter.r": ("অ্যাডাপ্টারের র‍্যাঙ্ক (r)", "Adapter rank (r)"),
    "adapter.lora_alpha": ("আলফা", "Alpha"),
    # compare and chat
    "adapter": ("অ্যাডাপ্টার", "Adapter"),
    "adapter.demo": ("ডেমো অ্যাডাপ্টার", "Demo adapter"),
    "compare.prompt": ("কী বলতে চান", "What would you say?"),
    "compare.prompt.placeholder": (
        "মনের কথাটা এক-দুই বাক্যে লিখুন…",
        "A sentence or two of what is on your mind, in Bengali…",
    ),
    "compare.start": ("দুজনের উত্তর দেখুন", "Answer twice"),
    "stop": ("থামান", "Stop"),
    "compare.base": ("মূল মডেল", "Base model"),
    "compare.tuned": ("শেখানো মডেল", "Fine-tuned model"),
    "compare.note": (
        "একই প্রশ্ন, একই বীজ, একই সেটিংস; তফাত শুধু অ্যাডাপ্টারে। দুটোই ৪-বিট মডেল।",
        "Same question, same seed, same settings; only the adapter differs. Both are the 4-bit model.",
    ),
    "generation": ("লেখার ধরন", "How replies are written"),
    "generation.temperature": ("বৈচিত্র্য (temperature)", "Temperature"),
    "generation.temperature.info": ("০ দিলে প্রতিবার একই উত্তর।", "0 gives the same reply every time."),
    "generation.top_p": ("টপ-পি", "Top-p"),
    "generation.max_new_tokens": ("উত্তরের সর্বোচ্চ দৈর্ঘ্য (টোকেন)", "Longest reply (tokens)"),
    "generation.seed": ("বীজ (seed)", "Seed"),
    "examples": ("উদাহরণ", "Examples"),
    "chat.panel": ("আলাপ", "Conversation"),
    "chat.message": ("আপনার কথা", "Your message"),
    "chat.message.placeholder": ("যা মনে আসে লিখুন…", "Write whatever comes to mind, in Bengali…"),
    "chat.welcome": (
        "### কেমন কাটছে আজকের দিনটা?\nযা বলতে ইচ্ছে করে, বলুন। আমি একটা প্রোগ্রাম, মানুষ নই; তবু মন দিয়ে শুনব।",
        "### How is your day going?\nSay whatever you like, in Bengali. I am a program, not a person; still, I will listen.",
    ),
    "chat.send": ("পাঠান", "Send"),
    "chat.retry": ("আবার বলুন", "Retry"),
    "chat.undo": ("ফিরিয়ে নিন", "Undo"),
    "chat.clear": ("নতুন আলাপ", "New chat"),
    "help": ("সাহায্য দরকার?", "Need help?"),
}

SENTENCES: dict[str, tuple[str, str]] = {
    "error.title": ("একটু থামুন", "One moment"),
    "care.help": ("কথা বলার নম্বর", "Numbers to call"),
    "care.BD": ("বাংলাদেশ", "Bangladesh"),
    "care.IN": ("ভারত", "India"),
    "care.unverified": (
        "নম্বরগুলো এখনও ফোন করে যাচাই করা হয়নি; না লাগলে জরুরি নম্বরে ফোন করুন।",
        "These numbers have not been verified by a call yet; if one does not answer, call the emergency number.",
    ),
    "chat.crisis.after": (
        "আপনার কথাটা আমার মনে আছে। আমি প্রোগ্রাম, একা আমি যথেষ্ট নই। নিচের নম্বরে বা কাছের কাউকে এখনই একটু জানাবেন?",
        "I have not forgotten what you said. I am a program, and alone I am not enough. Would you tell one of the numbers"
        " below, or somebody near you, right now?",
    ),
    "status.none": ("এখনও কোনো রান নেই। বাঁ দিকে রেসিপি বেছে শুরু করুন।", "No run yet. Choose a recipe and start one."),
    "status.queued": ("শুরু হচ্ছে", "Starting"),
    "status.preparing": ("লেখা পরিষ্কার ও ভাগ করা হচ্ছে", "Cleaning and splitting the data"),
    "status.loading": ("মডেল আনা হচ্ছে", "Loading the model"),
    "status.training": ("শিখছে", "Training"),
    "status.saving": ("সংরক্ষণ হচ্ছে", "Saving"),
    "status.finished": ("শেখা শেষ", "Finished"),
    "status.stopped": ("থামানো হয়েছে, যা শিখেছে রাখা আছে", "Stopped; what it learnt is saved"),
    "status.failed": ("ব্যর্থ হয়েছে", "Failed"),
    "status.stopping": ("থামছে, হাতের ধাপটা শেষ হলেই", "Stopping after the step in hand"),
    "status.steps": ("ধাপ {step} / {total}", "step {step} of {total}"),
    "status.eta": ("আর প্রায় {time}", "about {time} left"),
    "status.took": ("সময় লেগেছে {time}", "took {time}"),
    "status.loss": ("যাচাইয়ে ক্ষতি {first} থেকে {last}", "evaluation loss {first} → {last}"),
    "status.speed": ("সেকেন্ডে {speed} টোকেন", "{speed} tokens/s"),
    "status.rows": ("{kept} সারি নেওয়া হয়েছে, {dropped} বাদ", "{kept} rows kept, {dropped} dropped"),
    "status.seconds": ("{n} সেকেন্ড", "{n} s"),
    "status.minutes": ("{n} মিনিট", "{n} min"),
    "status.hours": ("{n} ঘণ্টা", "{n} h"),
    "plot.train": ("শেখার সময়", "train"),
    "plot.eval": ("যাচাইয়ে", "evaluation"),
    "plot.best": ("সবচেয়ে ভালো", "best"),
    "plot.step": ("ধাপ", "step"),
    "plot.loss": ("ক্ষতি", "loss"),
    "plot.rate": ("শেখার হার", "learning rate"),
    "compare.empty": ("আগে কিছু একটা লিখুন।", "Write something first."),
    "train.no_file": ("আগে একটা ফাইল বেছে নিন, নয়তো রেসিপির ডেটা নিন।", "Choose a file first, or take the recipe's data."),
    "train.started": ("{run} শুরু হয়েছে।", "{run} has started."),
    "busy": (
        "ভেতরে একটা গোলমাল হয়েছে। লগে বিস্তারিত আছে; আবার চেষ্টা করুন।",
        "Something went wrong inside. The log has the details; please try again.",
    ),
}

ERRORS_BN: dict[str, str] = {
    "train.no_file": "আগে একটা ফাইল বেছে নিন, নয়তো রেসিপির ডেটা নিন।",
    "compare.empty": "আগে কিছু একটা লিখুন।",
    "data.one_group": "{file} ফাইলের {kept} সারির {largest}টি একই রকম প্রশ্ন বা এক আলাপের অংশ, তাই ভাগ করা গেল না। আরও আলাদা সারি যোগ করুন।",
    "data.out": "{file} নামে একটা ফাইল আছে, তাই ফোল্ডার করা গেল না। অন্য ফোল্ডার বেছে নিন।",
    "data.no_rows": "{file} ফাইলে কোনো সারি নেই। অন্তত কয়েকশো প্রশ্ন-উত্তর আছে এমন একটা ফাইল বেছে নিন।",
    "data.none_left.missing": "{file} ফাইলের {rows} সারির একটাও নেওয়া গেল না: {count}টিতে প্রশ্ন বা উত্তর নেই। কলাম দুটো ঠিক আছে কি না দেখুন।",
    "data.none_left.empty": "{file} ফাইলের {rows} সারির একটাও নেওয়া গেল না: {count}টি ফাঁকা। অন্য ফাইল বেছে নিন।",
    "data.none_left.too_short": "{file} ফাইলের {rows} সারির একটাও নেওয়া গেল না: {count}টি খুব ছোট। অন্য ফাইল বেছে নিন।",
    "data.none_left.corrupted": "{file} ফাইলের {rows} সারির একটাও নেওয়া গেল না: {count}টির অক্ষর নষ্ট। ফাইলটা UTF-8 হিসেবে আবার সংরক্ষণ করুন।",
    "data.none_left.not_bengali": "{file} ফাইলের {rows} সারির একটাও নেওয়া গেল না: {count}টি বাংলা অক্ষরে লেখা নয়। বাংলা প্রশ্ন-উত্তরের ফাইল বেছে নিন।",
    "data.none_left.duplicate": "{file} ফাইলের {rows} সারির একটাও নেওয়া গেল না: {count}টি একই সারি। অন্য ফাইল বেছে নিন।",
    "data.no_file": "{file} নামে কোনো ফাইল নেই। ঠিকানাটা দেখুন, অথবা ফাইলটা আবার দিন।",
    "data.empty": "{file} ফাইলটা খালি। প্রশ্ন আর উত্তরের কলাম আছে এমন ফাইল বেছে নিন।",
    "data.not_text": "{file} নামে CSV হলেও আসলে অন্য ধরনের ফাইল। টেবিলটা CSV (UTF-8) হিসেবে সংরক্ষণ করে সেই ফাইলটা দিন।",
    "data.not_unicode": "{file} UTF-8 নয়, তাই বাংলা অক্ষর পড়া যাচ্ছে না। CSV (UTF-8) হিসেবে সংরক্ষণ করে আবার দিন।",
    "data.columns": "{file} ফাইলে {lacking} নামে কলাম নেই। যেগুলো আছে: {found}। কোন কলামে প্রশ্ন আর কোনটায় উত্তর, সেটা লিখে দিন।",
    "data.damaged": "{file} ফাইলটা {line} নম্বর লাইনের কাছে নষ্ট। CSV (UTF-8) হিসেবে আবার সংরক্ষণ করুন।",
    "data.damaged_parquet": "{file} ঠিকঠাক Parquet ফাইল নয়। আবার বের করুন, নয়তো CSV (UTF-8) দিন।",
    "data.not_jsonl": "{file} ফাইলের {line} নম্বর লাইন JSON নয়। প্রতি লাইনে একটা করে JSON লিখুন।",
    "data.hub": "Hugging Face থেকে {file} পড়া গেল না। নাম আর ইন্টারনেট দেখুন, অথবা ফাইল দিন।",
    "data.too_few": "{file} ফাইলের {rows} সারির মধ্যে মাত্র {kept}টি নেওয়া গেল, ভাগ করতে অন্তত ১০টি লাগে। আরও সারি যোগ করুন।",
    "data.no_split": "{file} পাওয়া গেল না। আগে ডেটা তৈরি করুন।",
    "model.no_base": "{model} ফোল্ডারে কোনো মডেল নেই। ঠিকানা দেখুন, অথবা Hugging Face-এর নাম দিন।",
    "model.no_adapter": "এখানে কোনো অ্যাডাপ্টার নেই। “শেখানো” পাতায় একটা তৈরি করুন, অথবা ডেমো অ্যাডাপ্টার বেছে নিন।",
    "model.damaged_adapter": "অ্যাডাপ্টারের ফাইল নষ্ট। রান থেকে আবার কপি করুন, অথবা অন্য অ্যাডাপ্টার বেছে নিন।",
    "model.not_lora": "এটা LoRA অ্যাডাপ্টার নয়; এখানে শুধু LoRA চলে।",
    "model.not_plain_lora": "এই অ্যাডাপ্টার সাধারণ LoRA নয়; এখানে শুধু সাধারণ LoRA চলে।",
    "model.gated": "{model} মডেলটির জন্য অনুমতি লাগে। Hugging Face-এ শর্ত মেনে লগইন করুন, অথবা খোলা কোনো কপি বেছে নিন।",
    "model.cannot_load": "{model} মডেলটা আনা গেল না। নাম, ইন্টারনেট আর ডিস্কের জায়গা দেখুন।",
    "model.prompt_format": "{file} নষ্ট। মুছে দিলে সাধারণ ধরন নেওয়া হবে, নয়তো রান থেকে আবার কপি করুন।",
    "model.no_special_token": "এই মডেলের টোকেনাইজারে {token} নেই, মানে এটা Llama 3 নয়। Llama 3, 3.1 বা 3.2 বেছে নিন।",
    "model.not_llama": "এটা {kind} মডেল; এখানে শুধু Llama চলে।",
    "backend.other_base": "{adapter} অ্যাডাপ্টার {base} মডেলে শেখানো, এখন মেমোরিতে আছে {resident}। অন্য অ্যাডাপ্টার বেছে নিন।",
    "run.cannot_start": "{run} চালু করা গেল না: {text}। লগ দেখুন, তারপর আবার চেষ্টা করুন।",
    "run.exists": "{run} ফোল্ডারে আগে থেকেই একটা রান আছে। অন্য ফোল্ডার বেছে নিন।",
    "run.unknown": "{run} নামে কোনো রান নেই। আছে: {known}।",
    "run.no_folder": "{run} কোনো রানের ফোল্ডার নয়।",
    "run.damaged_status": "{run} রানের status.json নষ্ট।",
    "run.busy": "{run} এখনও শিখছে; এই কম্পিউটারে একবারে একটাই চলে। থামান, নয়তো শেষ হওয়া পর্যন্ত অপেক্ষা করুন।",
    "run.running": "{run} তো চলছেই, আবার চালু করার কিছু নেই।",
    "run.not_running": "{run} এখন চলছে না।",
    "run.no_checkpoint": "{run} রানে ফেরার মতো কোনো চেকপয়েন্ট নেই। নতুন করে শুরু করুন।",
    "run.all_cut": "প্রতিটি প্রশ্নই {max_length} টোকেনের চেয়ে লম্বা, তাই শেখার মতো উত্তর থাকছে না। max_length বাড়ান।",
    "run.out_of_memory": "কার্ডের মেমোরি ফুরিয়ে গেছে। ব্যাচের মাপ অর্ধেক করে gradient accumulation দ্বিগুণ করুন, অথবা ৪-বিটে শেখান।",
    "run.crashed": "শেখানো মাঝপথে থেমে গেছে ({kind})। নিচের লগে বিস্তারিত আছে।",
    "run.died": "শেখানোর প্রক্রিয়াটা শেষ না করেই বন্ধ হয়ে গেছে। শেষ চেকপয়েন্ট থেকে আবার চালু করতে পারেন।",
    "run.interrupted": "কিবোর্ড থেকে থামানো হয়েছে।",
    "recipe.range": "{value} চলবে না, {low} থেকে {high}-এর মধ্যে একটা মান দিন",
    "recipe.choices": "{value} চেনা গেল না, এর মধ্যে একটা বেছে নিন: {choices}",
    "recipe.kind": "{value} এই ঘরের উপযুক্ত নয়",
    "recipe.unknown": "এই নামে কোনো সেটিং নেই",
    "recipe.no_settings": "এখানে সেটিংস থাকার কথা",
    "recipe.no_sections": "রেসিপিতে নির্দিষ্ট অংশগুলো থাকতে হবে",
    "recipe.closed": "বাইরের প্রোগ্রাম থেকে এটা বদলানো যায় না, সার্ভারের রেসিপিতে লিখুন",
    "recipe.no_file": "{file} নামে রেসিপি নেই। আছে: {known}",
    "recipe.not_yaml": "{file} ঠিক YAML নয় ({where})",
    "recipe.no_steps": "০ ধাপে কিছুই শেখা হবে না, -1 দিলে পুরো ডেটার হিসাবে চলবে",
    "recipe.save_steps": "সংরক্ষণের ধাপ ({save_steps}) যাচাইয়ের ধাপের ({eval_steps}) গুণিতক হতে হবে",
}

EXAMPLES = (
    "প্রাথমিকের নিয়োগ পরীক্ষায় এই নিয়ে পঞ্চম বার বাদ পড়লাম।",
    "সোমবার মায়ের অপারেশন। সামনে গিয়ে হাসি, বাথরুমে কল ছেড়ে কাঁদি।",
    "তিন মাস ধরে পত্রিকা অফিসে বেতন আটকে আছে, চাইলে বলে সামনের সপ্তাহ।",
    "আমাদের পুরোনো কীর্তনের দলের পাঁচ জন কাল আবার একসঙ্গে বসেছিলাম!",
)
"""Things people might say, in wordings that the demo adapter was not trained on."""

_BENGALI_DIGITS = str.maketrans("0123456789", "০১২৩৪৫৬৭৮৯")


def label(key: str, language: str) -> str:
    """A label in one language, for what is made on the server."""
    return LABELS[key][LANGUAGES.index(language)]


def sentence(key: str, language: str, **facts: object) -> str:
    """A sentence in one language with its facts put in; figures in Bengali digits where it is Bengali."""
    text = SENTENCES[key][LANGUAGES.index(language)]
    return text.format(**{name: digits(value, language) for name, value in facts.items()})


def digits(value: object, language: str) -> str:
    """A value as text, with Bengali digits in Bengali; names with letters in them stay as they are."""
    text = f"{value:,}" if isinstance(value, int) else str(value)
    if language != "bn" or any(c.isascii() and c.isalpha() for c in text):
        return text
    return text.translate(_BENGALI_DIGITS)


def error(problem: FinetuneError, language: str) -> str:
    """What went wrong, in the person's language; English where no Bengali wording exists."""
    return told(problem.key, problem.facts, str(problem), language, problem)


def told(key: str, facts: dict, fallback: str, language: str, problem: FinetuneError | None = None) -> str:
    """An error by key and facts, as a run's status keeps it."""
    if language != "bn":
        return fallback
    if isinstance(problem, RecipeError):
        lines = []
        for name, one in problem.problems.items():
            shown = LABELS[name][0] if name in LABELS else name
            template = ERRORS_BN.get(one.key)
            said = str(one) if template is None else f"{_with_facts(template, one.facts)}।"
            lines.append(f"{shown}: {said}")
        return "\n".join(lines)
    template = ERRORS_BN.get(key)
    return fallback if template is None else _with_facts(template, facts)


def _with_facts(template: str, facts: dict) -> str:
    return template.format(**{name: digits(value, "bn") for name, value in facts.items()})
