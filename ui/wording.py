"""Every string that a person reads on the page, in Bengali and English. Only words live here.

`LABELS` are put in by the browser (gr.I18n), so that they follow the language at once; `SENTENCES`
are made on the server with facts in them. Errors are found by their key; in English the error's own
message is shown. Bengali figures are written with Bengali digits.
"""

from __future__ import annotations

from finetune.errors import FinetuneError, Problem, RecipeError
from ui import (
    wording_chat,
    wording_compare,
    wording_evaluate,
    wording_gradio,
    wording_privacy,
    wording_recipe,
    wording_train,
)
from ui.wording_errors import ERRORS_BN

LANGUAGES = ("bn", "en")

LABELS: dict[str, tuple[str, str]] = {
    "brand": ("# সহমর্মী\nশেখান, পাশাপাশি দেখুন, কথা বলুন", "# Shohomormi\nTrain, compare, talk"),
    "language": ("English", "বাংলা"),
    "maker.password": ("অ্যাডমিনের পাসওয়ার্ড", "Admin password"),
    "maker.password.info": (
        "শেখানো, জোড়া বানানো আর রায় দেখতে লাগে; আলাপ আর যাচাই সবার জন্য খোলা। লিখে Enter চাপুন।",
        "Needed to train, to make pairs and to read the verdict; chat and review are open to all. Press Enter.",
    ),
    "tab.train": ("শেখানো", "Train"),
    "tab.compare": ("তুলনা", "Compare"),
    "tab.chat": ("আলাপ", "Chat"),
    # train
    "train.recipe": ("রেসিপি", "Recipe"),
    "train.recipe.info": (
        "ডেমো রেসিপি এই কম্পিউটারেই মিনিটখানেকের মধ্যে শেষ হয়।",
        "The demo recipe takes about a minute on this machine.",
    ),
    "train.data": ("কোন লেখা থেকে শিখবে", "Data to learn from"),
    "train.data.recipe": ("রেসিপির ডেটা", "The recipe's data"),
    "train.data.upload": ("আমার ফাইল", "My file"),
    "train.file": ("CSV, JSONL বা Parquet ফাইল", "CSV, JSONL or Parquet file"),
    "train.columns": ("কলামের নাম", "Column names"),
    "train.start": ("শেখানো শুরু করুন", "Start training"),
    "train.stop": ("থামিয়ে সংরক্ষণ করুন", "Stop and save"),
    "train.resume": ("আবার চালু করুন", "Resume"),
    "train.run": ("কোন রান দেখবেন", "Run to look at"),
    "train.loss": ("লস (loss)", "Loss"),
    "train.log": ("লগের শেষ অংশ", "End of the log"),
    # compare and chat
    "adapter": ("অ্যাডাপ্টার", "Adapter"),
    "adapter.server": ("সার্ভারের নিজের মডেল", "The server's own model"),
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
        "একই প্রশ্ন, একই সিড, একই সেটিংস; তফাত শুধু অ্যাডাপ্টারে। দুটোই ৪-বিট মডেল।",
        "Same question, same seed, same settings; only the adapter differs. Both are the 4-bit model.",
    ),
    "generation": ("উত্তর লেখার ধরন", "How replies are written"),
    "examples": ("উদাহরণ", "Examples"),
    "help": ("সাহায্য দরকার?", "Need help?"),
}

SENTENCES: dict[str, tuple[str, str]] = {
    "error.title": ("একটা সমস্যা হয়েছে", "There is a problem"),
    "maker.admitted": ("ঠিক আছে, এবার সবটাই খোলা।", "Welcome; everything is open now."),
    "care.help": ("কথা বলার নম্বর", "Numbers to call"),
    "care.BD": ("বাংলাদেশ", "Bangladesh"),
    "care.IN": ("ভারত", "India"),
    "care.sources": ("নম্বরগুলো কোথা থেকে পাওয়া", "Where these numbers come from"),
    "care.source": ("{name}: {source}, শেষ দেখা হয়েছে {date}", "{name}: {source}, last looked at on {date}"),
    "care.unverified": (
        "নম্বরগুলোতে আমরা নিজেরা এখনও ফোন করে দেখিনি; কেউ না ধরলে বা লাইন না পেলে জরুরি নম্বরে ফোন করুন।",
        "We have not called these numbers ourselves yet; if one does not answer, call the emergency number.",
    ),
    "status.none": (
        "এখনও কোনো রান নেই। “নতুন রান” পাতায় রেসিপি বেছে শুরু করুন।",
        "No run yet. Choose a recipe under “New run” and start one.",
    ),
    "status.queued": ("শুরু হচ্ছে", "Starting"),
    "status.preparing": ("লেখা পরিষ্কার ও ভাগ করা হচ্ছে", "Cleaning and splitting the data"),
    "status.loading": ("মডেল আনা হচ্ছে", "Loading the model"),
    "status.training": ("শিখছে", "Training"),
    "status.saving": ("সংরক্ষণ হচ্ছে", "Saving"),
    "status.finished": ("শেখা শেষ", "Finished"),
    "status.stopped": ("থামানো হয়েছে, যা শিখেছে রাখা আছে", "Stopped; what it learnt is saved"),
    "status.failed": ("ব্যর্থ হয়েছে", "Failed"),
    "status.stopping": ("চলতি ধাপটা শেষ হলেই থামবে", "Stopping after the current step"),
    "status.steps": ("ধাপ {step} / {total}", "step {step} of {total}"),
    "status.eta": ("আর প্রায় {time}", "about {time} left"),
    "status.took": ("সময় লেগেছে {time}", "took {time}"),
    "status.loss": ("যাচাইয়ে লস {first} থেকে {last}", "evaluation loss {first} → {last}"),
    "status.speed": ("সেকেন্ডে {speed} টোকেন", "{speed} tokens/s"),
    "status.rows": ("{kept} সারি নেওয়া হয়েছে, {dropped} বাদ", "{kept} rows kept, {dropped} dropped"),
    "status.seconds": ("{n} সেকেন্ড", "{n} s"),
    "status.minutes": ("{n} মিনিট", "{n} min"),
    "status.hours": ("{n} ঘণ্টা", "{n} h"),
    "plot.train": ("শেখায়", "train"),
    "plot.eval": ("যাচাইয়ে", "evaluation"),
    "plot.raw": ("আসল মান", "raw"),
    "plot.best": ("সবচেয়ে ভালো, ধাপ {step}", "best, step {step}"),
    "plot.step": ("ধাপ", "step"),
    "plot.epoch": ("ইপক", "epoch"),
    "plot.seconds": ("সময় (সেকেন্ড)", "time (s)"),
    "plot.minutes": ("সময় (মিনিট)", "time (min)"),
    "plot.hours": ("সময় (ঘণ্টা)", "time (h)"),
    "plot.loss": ("লস", "loss"),
    "plot.eval_loss": ("যাচাইয়ে লস", "evaluation loss"),
    "plot.learning_rate": ("শেখার হার", "learning rate"),
    "plot.grad_norm": ("গ্রেডিয়েন্টের মান", "gradient norm"),
    "plot.tokens_per_second": ("সেকেন্ডে টোকেন", "tokens per second"),
    "plot.gpu_memory_gb": ("মেমোরি (GB)", "memory (GB)"),
    "plot.zoom": ("টেনে বড় করুন", "Zoom"),
    "plot.pan": ("সরান", "Pan"),
    "plot.reset": ("পুরোটা দেখুন", "Reset axes"),
    "plot.png": ("PNG ডাউনলোড", "Download as PNG"),
    "alert.not_finite": (
        "ধাপ {step}-এ লসের মান আর সংখ্যা নেই (NaN বা অসীম)। থামান, তারপর শেখার হার কমিয়ে আর max_grad_norm ১ বা তার কম দিয়ে নতুন করে শুরু করুন।",
        "The loss is no number (NaN or infinite) at step {step}. Stop, and start anew with a lower training.learning_rate and training.max_grad_norm at 1 or less.",
    ),
    "alert.not_finite_once": (
        "ধাপ {step}-এ লসের মান সংখ্যা ছিল না (NaN বা অসীম), এখন আবার ঠিক আছে। আবার হলে শেখার হার কমান।",
        "The loss was no number (NaN or infinite) at step {step}, and is one again. If it comes back, lower training.learning_rate.",
    ),
    "alert.loss_rising": (
        "ধাপ {step}-এর পর থেকে শেখার সময়ের লস {percent}% বেড়েছে। বাড়তেই থাকলে থামান, শেখার হার কমিয়ে নতুন করে শুরু করুন।",
        "The train loss has risen by {percent} % since step {step}. If it goes on, stop and start anew with a lower training.learning_rate.",
    ),
    "alert.evaluation_rising": (
        "যাচাইয়ে লস পরপর {count} বার বেড়ে {last} হয়েছে; সবচেয়ে কম ছিল {best}, ধাপ {step}-এ। মডেল হয়তো উদাহরণগুলো মুখস্থ করে ফেলছে (overfitting)। কম ধাপই যথেষ্ট, অথবা early_stopping_patience দিলে নিজেই থামবে।",
        "The evaluation loss has risen {count} times in a row, to {last}; the best was {best} at step {step}. It may be learning the examples by heart (overfitting): fewer steps would do, or let training.early_stopping_patience end it.",
    ),
    "alert.gradient_exploding": (
        "ধাপ {step} থেকে গ্রেডিয়েন্ট স্বাভাবিকের {times} গুণ পর্যন্ত বড় হচ্ছে। লসও বাড়লে থামান, শেখার হার কমিয়ে অথবা max_grad_norm ১ বা তার কম দিয়ে নতুন করে শুরু করুন।",
        "Since step {step} gradients are up to {times} times as long as usual. If the loss rises as well, stop and start anew with a lower training.learning_rate or training.max_grad_norm at 1 or less.",
    ),
    "alert.disk": (
        "ডিস্কে মাত্র {free} মেগাবাইট খালি, অথচ চেকপয়েন্ট আর অ্যাডাপ্টারের জন্য {needed} মেগাবাইট লাগতে পারে। পরের চেকপয়েন্টের আগে জায়গা খালি করুন, যেমন অদরকারি রান মুছে।",
        "Only {free} MB are free on the disk, and checkpoints and adapter may need {needed} MB. Free some space before the next checkpoint, for example by deleting runs that you no longer need.",
    ),
    "alert.second_try.batch": (
        "ধাপ {step}-এ মেমোরি ফুরিয়ে গিয়েছিল, রানটা নিজে থেকেই ধাপ {start} থেকে আবার চলেছে: ব্যাচের মাপ (per_device_train_batch_size) {batch}-এর জায়গায় {smaller}, আর gradient_accumulation_steps {steps}-এর জায়গায় {more}। শেখা একই থাকবে।",
        "Memory ran out at step {step}, and the run went on by itself from step {start} with training.per_device_train_batch_size at {smaller} instead of {batch} and training.gradient_accumulation_steps at {more} instead of {steps}; it learns the same.",
    ),
    "alert.second_try.tokens": (
        "ধাপ {step}-এ মেমোরি ফুরিয়ে গিয়েছিল, রানটা নিজে থেকেই ধাপ {start} থেকে আবার চলেছে: একবারে {tokens} টোকেনের জায়গায় এখন বড়জোর {fewer} টোকেন দেখছে। শেখা একই থাকবে।",
        "Memory ran out at step {step}, and the run went on by itself from step {start} with at most {fewer} tokens a pass instead of {tokens}; it learns the same.",
    ),
    "alert.failed": (
        "ধাপ {step}-এ শেখানো মাঝপথে থেমে গেছে। কেন, আর কী করবেন, রানের কার্ডে লেখা আছে।",
        "Training failed at step {step}. The run says why and what to do.",
    ),
    "alert.cancelled": (
        "{total} ধাপের {step} ধাপে এসে শেখানো বাতিল হয়েছে। অ্যাডাপ্টার রাখা হয়নি; চেকপয়েন্ট থাকলে সেখান থেকে আবার চালাতে পারেন।",
        "Training was cancelled at step {step} of {total}. No adapter was saved; where there is a checkpoint you can resume from it.",
    ),
    "alert.stopped": (
        "{total} ধাপের মধ্যে {step} ধাপে শেখানো থামানো হয়েছে। আবার চালু করলে শেষ চেকপয়েন্ট থেকে এগোবে।",
        "Training was stopped at step {step} of {total}. Resume goes on from its last checkpoint.",
    ),
    "alert.finished_early": (
        "যাচাইয়ে লস আর কমছিল না, তাই {total} ধাপের মধ্যে {step} ধাপেই শেখানো শেষ হয়েছে। অ্যাডাপ্টার রাখা আছে; পাশাপাশি দেখুন, নয়তো কথা বলুন।",
        "Training ended by itself at step {step} of {total}, for the evaluation loss no longer fell. The adapter is saved; compare it or talk to it.",
    ),
    "alert.finished": (
        "{step} ধাপের শেখানো শেষ। অ্যাডাপ্টার রাখা আছে; পাশাপাশি দেখুন, নয়তো কথা বলুন।",
        "Training finished after {step} steps. The adapter is saved; compare it or talk to it.",
    ),
    "compare.empty": ("আগে কিছু একটা লিখুন।", "Write something first."),
    "train.no_file": ("আগে একটা ফাইল বেছে নিন, নয়তো রেসিপির ডেটা নিন।", "Choose a file first, or take the recipe's data."),
    "train.started": ("{run} শুরু হয়েছে।", "{run} has started."),
    "call.no_fit": (
        "হয় ভেতরে একটা গোলমাল হয়েছে, নয় যা পাঠানো হয়েছে তা ঠিক আকারের নয়; কী পাঠাতে হয়, তা /gradio_api/info-তে আছে।",
        "Either something went wrong inside, or what was sent does not fit; what does fit stands at /gradio_api/info.",
    ),
    "busy": (ERRORS_BN["busy"], "Something went wrong inside. The log has the details; please try again."),
}

EXAMPLES = (
    "প্রাথমিকের নিয়োগ পরীক্ষায় এই নিয়ে পঞ্চম বার বাদ পড়লাম।",
    "সোমবার মায়ের অপারেশন। সামনে গিয়ে হাসি, বাথরুমে কল ছেড়ে কাঁদি।",
    "তিন মাস ধরে পত্রিকা অফিসে বেতন আটকে আছে, চাইলে বলে সামনের সপ্তাহ।",
    "আমাদের পুরোনো কীর্তনের দলের পাঁচ জন কাল আবার একসঙ্গে বসেছিলাম!",
)
"""Things people might say, in wordings that the demo adapter was not trained on."""

LABELS |= wording_train.LABELS | wording_compare.LABELS | wording_chat.LABELS | wording_privacy.LABELS
LABELS |= wording_evaluate.LABELS | wording_gradio.KEYS
LABELS |= {f"section.{name}": heading for name, heading in wording_recipe.SECTIONS.items()}
LABELS |= {name: texts[:2] for name, texts in wording_recipe.FIELDS.items()}
LABELS |= {f"{name}.info": texts[2:] for name, texts in wording_recipe.FIELDS.items()}
SENTENCES |= wording_train.SENTENCES | wording_compare.SENTENCES | wording_chat.SENTENCES
SENTENCES |= wording_privacy.SENTENCES | wording_evaluate.SENTENCES

_BENGALI_DIGITS = str.maketrans("0123456789", "০১২৩৪৫৬৭৮৯")


def label(key: str, language: str) -> str:
    """A label in one language, for what is made on the server."""
    return LABELS[key][LANGUAGES.index(language)]


def sentence(key: str, language: str, **facts: object) -> str:
    """A sentence in one language with its facts put in; figures in Bengali digits where it is Bengali."""
    text = SENTENCES[key][LANGUAGES.index(language)]
    return text.format(**{name: _fact(name, value, language) for name, value in facts.items()})


NAMES = ("run", "file", "name", "adapter", "set")
"""Facts that are names: their digits stay as they are, for nobody would find নিজের-ডেটা-০০১ by that name."""


def _fact(name: str, value: object, language: str) -> str:
    return str(value) if name in NAMES else digits(value, language)


def digits(value: object, language: str) -> str:
    """A value as text, with Bengali digits in Bengali; names with letters in them stay as they are."""
    text = f"{value:,}" if isinstance(value, int) else str(value)
    if language != "bn" or any(c.isascii() and c.isalpha() for c in text):
        return text
    return text.translate(_BENGALI_DIGITS)


def spoken_time(seconds: float, language: str) -> str:
    """A length of time as one would say it."""
    if seconds < 90:
        return sentence("status.seconds", language, n=round(seconds))
    if seconds < 5400:
        return sentence("status.minutes", language, n=round(seconds / 60))
    return sentence("status.hours", language, n=round(seconds / 3600, 1))


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


def problem(one: Problem, language: str) -> str:
    """One problem of a recipe, to be shown beside the control it belongs to."""
    template = ERRORS_BN.get(one.key)
    return str(one) if language != "bn" or template is None else f"{_with_facts(template, one.facts)}।"


def _with_facts(template: str, facts: dict) -> str:
    return template.format(**{name: _fact(name, value, "bn") for name, value in facts.items()})
