"""Every string that a person reads on the page, in Bengali and English. Only words live here.

`LABELS` are put in by the browser (gr.I18n), so that they follow the language at once; `SENTENCES`
are made on the server with facts in them. Errors are found by their key; in English the error's own
message is shown. Bengali figures are written with Bengali digits.
"""

from __future__ import annotations

from finetune.errors import FinetuneError, Problem, RecipeError
from ui import wording_recipe, wording_train

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
    "plot.raw": ("মূল মান", "raw"),
    "plot.best": ("সবচেয়ে ভালো, ধাপ {step}", "best, step {step}"),
    "plot.step": ("ধাপ", "step"),
    "plot.epoch": ("ইপক", "epoch"),
    "plot.seconds": ("সময় (সেকেন্ড)", "time (s)"),
    "plot.minutes": ("সময় (মিনিট)", "time (min)"),
    "plot.hours": ("সময় (ঘণ্টা)", "time (h)"),
    "plot.loss": ("ক্ষতি", "loss"),
    "plot.eval_loss": ("যাচাইয়ে ক্ষতি", "evaluation loss"),
    "plot.learning_rate": ("শেখার হার", "learning rate"),
    "plot.grad_norm": ("গ্রেডিয়েন্টের মান", "gradient norm"),
    "plot.tokens_per_second": ("সেকেন্ডে টোকেন", "tokens per second"),
    "plot.gpu_memory_gb": ("মেমোরি (GB)", "memory (GB)"),
    "plot.zoom": ("টেনে বড় করুন", "Zoom"),
    "plot.pan": ("সরান", "Pan"),
    "plot.reset": ("পুরোটা দেখুন", "Reset axes"),
    "plot.png": ("PNG ডাউনলোড", "Download as PNG"),
    "alert.not_finite": (
        "ধাপ {step}-এ ক্ষতির মান আর সংখ্যা নেই (NaN বা অসীম)। থামান, তারপর শেখার হার কমিয়ে আর max_grad_norm ১ বা তার কম দিয়ে নতুন করে শুরু করুন।",
        "The loss is no number (NaN or infinite) at step {step}. Stop, and start anew with a lower training.learning_rate and training.max_grad_norm at 1 or less.",
    ),
    "alert.not_finite_once": (
        "ধাপ {step}-এ ক্ষতির মান সংখ্যা ছিল না (NaN বা অসীম), এখন আবার ঠিক আছে। আবার হলে শেখার হার কমান।",
        "The loss was no number (NaN or infinite) at step {step}, and is one again. If it comes back, lower training.learning_rate.",
    ),
    "alert.loss_rising": (
        "ধাপ {step}-এর পর থেকে শেখার সময়ের ক্ষতি {percent} % বেড়েছে। বাড়তেই থাকলে থামান, শেখার হার কমিয়ে নতুন করে শুরু করুন।",
        "The train loss has risen by {percent} % since step {step}. If it goes on, stop and start anew with a lower training.learning_rate.",
    ),
    "alert.evaluation_rising": (
        "যাচাইয়ে ক্ষতি পরপর {count} বার বেড়ে {last} হয়েছে; সবচেয়ে কম ছিল {best}, ধাপ {step}-এ। মডেল হয়তো উদাহরণগুলো মুখস্থ করে ফেলছে (overfitting)। কম ধাপই যথেষ্ট, অথবা early_stopping_patience দিলে নিজেই থামবে।",
        "The evaluation loss has risen {count} times in a row, to {last}; the best was {best} at step {step}. It may be learning the examples by heart (overfitting): fewer steps would do, or let training.early_stopping_patience end it.",
    ),
    "alert.gradient_exploding": (
        "ধাপ {step} থেকে গ্রেডিয়েন্ট স্বাভাবিকের {times} গুণ পর্যন্ত বড় হচ্ছে। ক্ষতিও বাড়লে থামান, শেখার হার কমিয়ে অথবা max_grad_norm ১ বা তার কম দিয়ে নতুন করে শুরু করুন।",
        "Since step {step} gradients are up to {times} times as long as usual. If the loss rises as well, stop and start anew with a lower training.learning_rate or training.max_grad_norm at 1 or less.",
    ),
    "alert.disk": (
        "ডিস্কে মাত্র {free} মেগাবাইট খালি, অথচ চেকপয়েন্ট আর অ্যাডাপ্টারের জন্য {needed} মেগাবাইট লাগতে পারে। পরের চেকপয়েন্টের আগে জায়গা খালি করুন, যেমন অদরকারি রান মুছে।",
        "Only {free} MB are free on the disk, and checkpoints and adapter may need {needed} MB. Free some space before the next checkpoint, for example by deleting runs that you no longer need.",
    ),
    "alert.failed": (
        "ধাপ {step}-এ শেখানো মাঝপথে থেমে গেছে। কেন, আর কী করবেন, রানের কার্ডে লেখা আছে।",
        "Training failed at step {step}. The run says why and what to do.",
    ),
    "alert.cancelled": (
        "{total} ধাপের মধ্যে {step} ধাপে শেখানো বাতিল করা হয়েছে, কিছুই রাখা হয়নি।",
        "Training was cancelled at step {step} of {total}, and nothing was saved.",
    ),
    "alert.stopped": (
        "{total} ধাপের মধ্যে {step} ধাপে শেখানো থামানো হয়েছে। আবার চালু করলে শেষ চেকপয়েন্ট থেকে এগোবে।",
        "Training was stopped at step {step} of {total}. Resume goes on from its last checkpoint.",
    ),
    "alert.finished_early": (
        "যাচাইয়ে ক্ষতি আর কমছিল না, তাই {total} ধাপের মধ্যে {step} ধাপেই শেখানো শেষ হয়েছে। অ্যাডাপ্টার রাখা আছে; পাশাপাশি দেখুন, নয়তো কথা বলুন।",
        "Training ended by itself at step {step} of {total}, for the evaluation loss no longer fell. The adapter is saved; compare it or talk to it.",
    ),
    "alert.finished": (
        "{step} ধাপের শেখানো শেষ। অ্যাডাপ্টার রাখা আছে; পাশাপাশি দেখুন, নয়তো কথা বলুন।",
        "Training finished after {step} steps. The adapter is saved; compare it or talk to it.",
    ),
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
    "run.running": "{run} তো চলছেই, আবার চালু করার কিছু নেই।",
    "run.not_running": "{run} এখন চলছে না।",
    "run.no_checkpoint": "{run} রানে ফেরার মতো কোনো চেকপয়েন্ট নেই। নতুন করে শুরু করুন।",
    "run.all_cut": "প্রতিটি প্রশ্নই {max_length} টোকেনের চেয়ে লম্বা, তাই শেখার মতো উত্তর থাকছে না। max_length বাড়ান।",
    "run.out_of_memory.evaluation": "যাচাইয়ের সময় মেমোরি ফুরিয়ে গেছে। per_device_eval_batch_size {old} থেকে কমিয়ে {new} করে নতুন করে শুরু করুন; শেখা একই থাকবে।",
    "run.out_of_memory.batch": "মেমোরি ফুরিয়ে গেছে। per_device_train_batch_size {batch} থেকে কমিয়ে {smaller} আর gradient_accumulation_steps {steps} থেকে বাড়িয়ে {more} করে নতুন করে শুরু করুন; শেখা একই থাকবে।",
    "run.out_of_memory.four_bit": "মেমোরি ফুরিয়ে গেছে। ৪-বিটে (load_in_4bit) নতুন করে শুরু করুন: মূল মডেলটা তখন তিন ভাগের এক ভাগ মেমোরি নেবে।",
    "run.out_of_memory.checkpointing": "মেমোরি ফুরিয়ে গেছে। gradient_checkpointing চালু করে নতুন করে শুরু করুন: মেমোরি কম লাগবে, সময় তিন ভাগের এক ভাগ বাড়বে।",
    "run.out_of_memory.length": "মেমোরি ফুরিয়ে গেছে। max_length {old} থেকে কমিয়ে {new} করে নতুন করে শুরু করুন; এর চেয়ে লম্বা উদাহরণের শেষটা কাটা পড়বে।",
    "run.out_of_memory.model": "সবচেয়ে কম মেমোরির সেটিংসেও মেমোরি ফুরিয়ে গেছে। {model}-এর চেয়ে ছোট মডেল নিন, নয়তো বেশি মেমোরির কম্পিউটারে শেখান।",
    "run.disk_full": "ডিস্ক ভরে গেছে, খালি আছে মাত্র {free} MB। দরকার নেই এমন রান মুছে বা অন্যভাবে জায়গা খালি করুন, তারপর শেষ চেকপয়েন্ট থেকে আবার চালু করুন।",
    "run.killed": "সিস্টেম শেখানোর প্রক্রিয়াটা হঠাৎ বন্ধ করে দিয়েছে, সাধারণত মেমোরি ফুরোলে এমন হয়। অন্য প্রোগ্রাম বন্ধ করে শেষ চেকপয়েন্ট থেকে আবার চালু করুন; আবারও হলে ছোট ব্যাচে নতুন করে শুরু করুন।",
    "run.delete_active": "{run} এখনও শিখছে বা অপেক্ষায় আছে। আগে বাতিল করুন, তারপর মুছুন।",
    "run.unknown_checkpoint": "{run} রানে {step} ধাপের কোনো পূর্ণ চেকপয়েন্ট নেই। আছে: {known}।",
    "run.crashed": "শেখানো মাঝপথে থেমে গেছে ({kind})। নিচের লগে বিস্তারিত আছে।",
    "run.diverged": "ক্ষতির মান আর সংখ্যা থাকেনি: ধাপ {step} পর্যন্ত পরপর {count} ধাপে NaN বা অসীম এসেছে, তাই শেখানো নিজে থেকেই থেমেছে। শেখার হার {rate} থেকে কমিয়ে {lower} বা তারও নিচে আর max_grad_norm {norm} দিয়ে নতুন করে শুরু করুন।",
    "run.died": "শেখানোর প্রক্রিয়াটা শেষ না করেই বন্ধ হয়ে গেছে, হয়তো মেমোরি ফুরিয়ে গিয়েছিল। শেষ চেকপয়েন্ট থেকে আবার চালু করতে পারেন।",
    "run.interrupted": "কিবোর্ড থেকে থামানো হয়েছে।",
    "run.damaged_report": "{run} রানের data/report.json নষ্ট। ডেটা আবার তৈরি করুন, নয়তো ফাইলটা মুছে ফেলুন।",
    "run.damaged_notes": "{run} রানের নোটের ফাইল নষ্ট। নোট আর ট্যাগ আবার লিখে রাখুন, তাতেই ঠিক হবে।",
    "run.long_note": "নোটটা {length} অক্ষরের, রাখা যায় {most} অক্ষর পর্যন্ত। একটু ছোট করুন।",
    "run.tags": "একটা রানে {longest} অক্ষরের মধ্যে বড়জোর {most}টা ট্যাগ রাখা যায়। কমান, নয়তো ছোট করুন।",
    "export.active": "{run} এখনও শেষ হয়নি। শেষ হতে দিন, নয়তো থামান; তখনই অ্যাডাপ্টার রাখা হয়।",
    "export.no_adapter": "{run} রানে নেওয়ার মতো অ্যাডাপ্টার নেই। শেষ পর্যন্ত শেখান, নয়তো আবার চালু করে থামান; দুভাবেই অ্যাডাপ্টার রাখা হয়।",
    "export.exists": "{out} আগে থেকেই আছে। নতুন একটা ফোল্ডার দিন, নয়তো ওটা মুছে ফেলুন।",
    "export.quantised_base": "{base} মডেলটা আগেই ছোট করা (quantised), আর মেশানো যায় শুধু আসলটার সঙ্গে। ১৬-বিটের আসল মডেল নিয়ে base.load_in_4bit চালু রেখে শেখান, মেমোরি ততটাই কম লাগবে।",
    "export.not_finite": "অ্যাডাপ্টার মেশালে এমন মান আসছে যা সংখ্যাই নয়, মানে শেখানো বিগড়ে গিয়েছিল। শেখার হার কমিয়ে আবার শেখান।",
    "export.memory": "মেশাতে প্রায় {needed} GB মেমোরি লাগে, খালি আছে {free} GB। অন্য প্রোগ্রাম বন্ধ করুন, নয়তো অ্যাডাপ্টারের zip নিয়ে বড় কম্পিউটারে মেশান।",
    "export.disk": "মেশানো মডেলের জন্য ডিস্কে প্রায় {needed} GB লাগে, খালি আছে {free} GB। জায়গা খালি করুন, নয়তো অন্য ডিস্কে রাখুন।",
    "export.quantisation": "llama.cpp-র কনভার্টার {wanted} লিখতে পারে না। এর মধ্যে একটা নিন: {known}।",
    "export.no_converter": "llama.cpp-র convert_hf_to_gguf.py এখানে নেই। `git clone --depth 1 https://github.com/ggml-org/llama.cpp` আর `pip install sentencepiece` চালান, তারপর এটা: `{command}`।",
    "export.converter_failed": "llama.cpp-র কনভার্টার পারল না: {text}। দেখুন ওটা যথেষ্ট নতুন কি না, আর এই মডেল চেনে কি না।",
    "export.repo_id": "{repo} নামে Hugging Face-এ কিছু রাখা যায় না। ইংরেজি অক্ষরে OWNER/NAME লিখুন।",
    "export.llama_name": "সবার জন্য খোলা মডেলের নাম Llama দিয়ে শুরু হতে হবে, এটা মূল মডেলের শর্ত। নাম দিন Llama-{name}, নয়তো নিজের জন্য রাখুন।",
    "export.no_token": "Hugging Face-এর কোনো টোকেন নেই। https://huggingface.co/settings/tokens থেকে লেখার অনুমতিসহ একটা টোকেন নিয়ে HF_TOKEN-এ দিন, নয়তো `hf auth login` করুন।",
    "export.public_repo": "{repo} আগে থেকেই আছে, আর সবাই তা দেখতে পায়। নতুন নাম দিন, নয়তো ওর পাতায় গিয়ে private করুন।",
    "export.refused": "Hugging Face {repo} নিতে রাজি হয়নি (HTTP {code})। নামটা দেখুন, আর টোকেনে লেখার অনুমতি আছে কি না।",
    "export.unreachable": "Hugging Face-এ পৌঁছানো গেল না ({kind})। ইন্টারনেট দেখুন, HF_HUB_OFFLINE চালু কি না তাও দেখুন, তারপর আবার চেষ্টা করুন।",
    "gate.all_cut": "{max_length} টোকেনে কোনো উত্তরই আঁটছে না, তাই শেখার কিছু থাকছে না। max_length বাড়ান; {needed} করলে {covered}% উদাহরণ পুরোটা থাকবে।",
    "gate.validation_cut": "যাচাইয়ের কোনো উত্তরই {max_length} টোকেনে আঁটছে না, তাই রান ব্যর্থ হবে। max_length বাড়ান; সবচেয়ে লম্বা উদাহরণ {longest} টোকেনের।",
    "gate.batch": "এক ধাপেই লাগে {batch}টি উদাহরণ, অথচ শেখার সারি মোটে {train}টি। সারি বাড়ান, নয়তো ব্যাচের মাপ কমান।",
    "gate.truncated": "{percent}% উদাহরণ {max_length} টোকেনের চেয়ে লম্বা, শেষটা কাটা পড়বে। max_length {needed} করলে {covered}% পুরোটা থাকবে।",
    "gate.some_cut": "{examined}টি উদাহরণের {count}টিতে প্রশ্নেই {max_length} টোকেন ফুরিয়ে যায়, উত্তরের কিছুই থাকে না; এগুলো বাদ যাবে। max_length বাড়ান, নয়তো প্রশ্নগুলো ছোট করুন।",
    "gate.dropped": "{rows} সারির {dropped}টি ({percent}%) বাদ পড়েছে। কোনটা কেন বাদ, তালিকায় দেখুন; প্রশ্ন আর উত্তরের কলাম ঠিক আছে কি না, তা-ও মিলিয়ে নিন।",
    "gate.repeated": "যাচাই আর পরীক্ষার {held_out}টি প্রশ্নের {count}টি অন্য ভাগেও আছে, তাই ফল আসলের চেয়ে ভালো দেখাবে। data.group চালু করুন।",
    "gate.few_rows": "শেখার সারি মোটে {train}টি; {wanted}টির কম হলে মডেল বেশির ভাগটাই মুখস্থ করে। পারলে আরও সারি যোগ করুন।",
    "gate.many_passes": "একই {train}টি সারি প্রায় {passes} বার দেখানো হবে, মডেল মুখস্থ করে ফেলবে। ধাপ কমান, নয়তো সারি বাড়ান।",
    "gate.warmup": "শেখার হার চূড়ায় উঠতে {warmup} ধাপ লাগে, অথচ রানটা মোটে {updates} ধাপের, তাই চূড়ায় পৌঁছাবেই না। warmup_steps কমিয়ে {advised} করুন।",
    "gate.little_bengali": "গড়ে একটা উত্তরের মাত্র {percent}% অক্ষর বাংলা; মডেলও এমন মিশিয়ে লিখতে শিখবে। data.min_bengali বাড়ান, নয়তো উত্তরগুলো শুধরে নিন।",
    "gate.short_replies": "অর্ধেক উত্তর {characters} অক্ষর বা তারও ছোট; মডেলও এমন দায়সারা উত্তর দেবে। উত্তরের কলামটা ঠিক আছে কি না দেখুন।",
    "gate.one_topic": "{percent}% সারির বিষয় “{topic}”, তাই অন্য প্রসঙ্গে মডেল কমই শিখবে। অন্য বিষয়ের সারিও যোগ করুন।",
    "tracker.offline": "W&B-তে পৌঁছানো গেল না ({kind}), তাই হিসাবগুলো রানের ফোল্ডারেই থাকছে। ইন্টারনেট আর চাবি দেখুন, পরে wandb sync দিয়ে পাঠান।",
    "tracker.no_key": "W&B-র কোনো চাবি দেওয়া নেই, তাই হিসাবগুলো রানের ফোল্ডারেই থাকছে। চাবি দিন, পরে wandb sync দিয়ে পাঠান।",
    "tracker.failed": "{tracker} কাজ করা বন্ধ করেছে ({kind}), তাই সেখানে এই রানের সবটা নেই। শেখানোর কোনো ক্ষতি হয়নি।",
    "tracker.unsent": "{tracker} সময়মতো এই রানের সবটা নিতে পারেনি। যা বাকি, তা রানের ফোল্ডারেই আছে।",
    "plan.unknown_base": "{model} কত বড়, প্রথম রানে নামানোর আগে তা জানা যাচ্ছে না, তাই মেমোরির হিসাব দেওয়া গেল না। সেই রান শুরু হলে আবার দেখুন।",
    "plan.four_bit": "শুধু মূল মডেলেই লাগে {base} GB, আছে {available} GB; তাই ৪-বিট মডেলে শেখান। {settings} দিলে রানটা প্রায় {then} GB-তে চলবে।",
    "plan.too_large": "রানটায় লাগবে প্রায় {needed} GB, আছে {available} GB। {settings} দিলে প্রায় {then} GB-তে চলবে।",
    "plan.no_fit": "রানটায় লাগবে প্রায় {needed} GB, আছে {available} GB; কোনো সেটিং বদলেও কুলাবে না। ছোট কোনো মডেল নিন, নয়তো বড় কার্ড।",
    "plan.one_card": "{cards}টা কার্ড থাকলেও একটা রান একটাই কার্ডে চলে; ১৬-বিট মডেলের স্তর কয়েকটা কার্ডে ভাগ করা হয় না।",
    "plan.disk": "চেকপয়েন্ট আর অ্যাডাপ্টারে {needed} GB পর্যন্ত লাগতে পারে, ডিস্কে খালি আছে {free} GB। জায়গা খালি করুন, নয়তো save_total_limit কমান।",
    "plan.cpu_days": "এই সিপিইউতে {billions} বিলিয়ন প্যারামিটারের মডেলে রানটা শেষ হতে প্রায় {days} দিন লাগবে। কার্ড আছে এমন কম্পিউটার বা ছোট মডেল নিন, নয়তো ধাপ অনেক কমান।",
    "plan.cpu_four_bit": "সিপিইউতে ৪-বিট মডেল শেখে ধীরে, আর মেমোরি এমনিতেই যথেষ্ট। base.load_in_4bit=false দিন।",
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
    "recipe.too_many": "{count}টা বেশি হয়ে যায়, বড়জোর {most}টা রাখুন",
    "recipe.too_long": "একটা লেখা {length} অক্ষরের, ছোট করে {longest} অক্ষরের মধ্যে আনুন",
    "recipe.early_stopping": "আগেভাগে থামতে হলে সেরা চেকপয়েন্ট রাখা (load_best_model_at_end) চালু থাকতে হবে, নয়তো এখানে ০ দিন",
    "recipe.save_steps": "সংরক্ষণের ধাপ ({save_steps}) যাচাইয়ের ধাপের ({eval_steps}) গুণিতক হতে হবে",
}

EXAMPLES = (
    "প্রাথমিকের নিয়োগ পরীক্ষায় এই নিয়ে পঞ্চম বার বাদ পড়লাম।",
    "সোমবার মায়ের অপারেশন। সামনে গিয়ে হাসি, বাথরুমে কল ছেড়ে কাঁদি।",
    "তিন মাস ধরে পত্রিকা অফিসে বেতন আটকে আছে, চাইলে বলে সামনের সপ্তাহ।",
    "আমাদের পুরোনো কীর্তনের দলের পাঁচ জন কাল আবার একসঙ্গে বসেছিলাম!",
)
"""Things people might say, in wordings that the demo adapter was not trained on."""

LABELS |= wording_train.LABELS
LABELS |= {f"section.{name}": heading for name, heading in wording_recipe.SECTIONS.items()}
LABELS |= {name: texts[:2] for name, texts in wording_recipe.FIELDS.items()}
LABELS |= {f"{name}.info": texts[2:] for name, texts in wording_recipe.FIELDS.items()}
SENTENCES |= wording_train.SENTENCES

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


def problem(one: Problem, language: str) -> str:
    """One problem of a recipe, to be shown beside the control it belongs to."""
    template = ERRORS_BN.get(one.key)
    return str(one) if language != "bn" or template is None else f"{_with_facts(template, one.facts)}।"


def _with_facts(template: str, facts: dict) -> str:
    return template.format(**{name: digits(value, "bn") for name, value in facts.items()})
