"""A label and an explanation for every field of a recipe, in Bengali and English.

`wording.LABELS` takes them in: a label under the field's name, its explanation under `NAME.info`, a section's heading
under `section.NAME`. Only words live here; what a field allows and its default stand in `finetune/recipe.py`.
"""

from __future__ import annotations

SECTIONS: dict[str, tuple[str, str]] = {
    "base": ("মূল মডেল", "Base model"),
    "data": ("ডেটা", "Data"),
    "adapter": ("অ্যাডাপ্টার", "Adapter"),
    "training": ("শেখানো", "Training"),
    "generation": ("লেখার ধরন", "How replies are written"),
    "tracking": ("হিসাব রাখা", "Tracking"),
}
"""The heading of each section."""

_LABELS: dict[str, tuple[str, str]] = {
    "base.model": ("মূল মডেল", "Base model"),
    "base.load_in_4bit": ("৪-বিটে রাখা (4-bit)", "4-bit base"),
    "base.dtype": ("সংখ্যার ধরন (dtype)", "Number format (dtype)"),
    "data.source": ("ডেটার উৎস", "Data source"),
    "data.question": ("প্রশ্নের কলাম", "Question column"),
    "data.answer": ("উত্তরের কলাম", "Answer column"),
    "data.topic": ("বিষয়ের কলাম", "Topic column"),
    "data.title": ("শিরোনামের কলাম", "Title column"),
    "data.deduplicate": ("একই সারি বাদ", "Drop duplicates"),
    "data.group": ("একই রকম সারি এক ভাগে", "Keep similar rows together"),
    "data.min_characters": ("কমপক্ষে কত অক্ষর", "Fewest characters"),
    "data.min_bengali": ("কমপক্ষে কতটা বাংলা", "Smallest Bengali share"),
    "data.seed": ("ভাগ করার সিড (seed)", "Split seed"),
    "data.prompt_format": ("আলাপ লেখার ছাঁচ", "Chat format"),
    "data.system_prompt": ("সিস্টেম প্রম্পট", "System prompt"),
    "adapter.r": ("অ্যাডাপ্টারের র‍্যাঙ্ক (r)", "Adapter rank (r)"),
    "adapter.lora_alpha": ("আলফা", "Alpha"),
    "adapter.lora_dropout": ("ড্রপআউট (dropout)", "Dropout"),
    "adapter.bias": ("বায়াস (bias)", "Bias"),
    "adapter.target_modules": ("কোন কোন অংশে বসবে", "Target modules"),
    "adapter.start_from": ("কোন অ্যাডাপ্টার থেকে শুরু", "Adapter to go on from"),
    "training.objective": ("কী দেখে শিখবে (sft, dpo)", "What it learns from"),
    "training.beta": ("বিটা (beta)", "Beta"),
    "training.engine": ("কী দিয়ে শেখাবে (engine)", "What trains (engine)"),
    "training.plan": ("ব্যাচ কে সাজাবে (plan)", "Who lays out batches (plan)"),
    "training.padding_free": ("প্যাডিং ছাড়া ব্যাচ (padding-free)", "Batches without padding"),
    "training.most_tokens": ("একবারে বড়জোর কত টোকেন (most_tokens)", "Most tokens a pass"),
    "training.recompute_mlps": ("কয় স্তর আবার হিসাব হবে (recompute_mlps)", "Layers whose MLP is recomputed"),
    "training.max_length": ("সর্বোচ্চ টোকেন (max_length)", "Longest example (tokens)"),
    "training.per_device_train_batch_size": ("ব্যাচের মাপ", "Batch size"),
    "training.per_device_eval_batch_size": ("যাচাইয়ের ব্যাচের মাপ", "Evaluation batch size"),
    "training.gradient_accumulation_steps": ("কয় ব্যাচে এক ধাপ", "Gradient accumulation"),
    "training.learning_rate": ("শেখার হার", "Learning rate"),
    "training.lr_scheduler_type": ("শেখার হার কীভাবে কমবে", "Learning rate schedule"),
    "training.warmup_steps": ("ওয়ার্ম-আপের ধাপ (warmup)", "Warmup steps"),
    "training.weight_decay": ("ওয়েট ডিকে (weight decay)", "Weight decay"),
    "training.max_grad_norm": ("গ্রেডিয়েন্টের সীমা (norm)", "Largest gradient norm"),
    "training.optim": ("অপটিমাইজার", "Optimizer"),
    "training.num_train_epochs": ("কয় ইপক (epoch)", "Epochs"),
    "training.max_steps": ("ধাপের সংখ্যা", "Steps"),
    "training.eval_steps": ("কয় ধাপ পরপর যাচাই", "Steps between evaluations"),
    "training.early_stopping_patience": ("আগেভাগে থামা (patience)", "Early stopping patience"),
    "training.eval_rows": ("যাচাইয়ের সারি", "Evaluation rows"),
    "training.save_steps": ("কয় ধাপ পরপর সংরক্ষণ", "Steps between checkpoints"),
    "training.save_total_limit": ("কয়টা চেকপয়েন্ট থাকবে", "Checkpoints kept"),
    "training.load_best_model_at_end": ("সেরা চেকপয়েন্ট রাখা", "Keep the best checkpoint"),
    "training.logging_steps": ("কয় ধাপ পরপর হিসাব", "Steps between log lines"),
    "training.gradient_checkpointing": ("গ্রেডিয়েন্ট চেকপয়েন্টিং", "Gradient checkpointing"),
    "training.activation_offloading": ("অ্যাকটিভেশন র‍্যামে রাখা (offloading)", "Activation offloading"),
    "training.seed": ("সিড (seed)", "Seed"),
    "training.sample_prompts": ("যেসব কথার উত্তর দেখবেন", "Messages to watch"),
    "generation.max_new_tokens": ("উত্তরের সর্বোচ্চ দৈর্ঘ্য (টোকেন)", "Longest reply (tokens)"),
    "generation.temperature": ("বৈচিত্র্য (temperature)", "Temperature"),
    "generation.top_p": ("টপ-পি", "Top-p"),
    "generation.repetition_penalty": ("একই কথা বলায় বাধা", "Repetition penalty"),
    "generation.seed": ("সিড (seed)", "Seed"),
    "tracking.report_to": ("ট্র্যাকার", "Tracker"),
    "tracking.mode": ("W&B-তে কীভাবে", "W&B mode"),
    "tracking.project": ("প্রজেক্টের নাম", "Project name"),
    "tracking.run_name": ("রানের নাম", "Run name"),
}

_EXPLANATIONS: dict[str, tuple[str, str]] = {
    "base.model": (
        "যাকে শেখাবেন: একটা ফোল্ডার, নয়তো Hugging Face-এর নাম; মেমোরি কম থাকলে ছোট মডেল নিন।",
        "What you train: a folder, or a model id on the Hugging Face Hub; take a small one if memory is short.",
    ),
    "base.load_in_4bit": (
        "মেমোরিতে না আঁটলে চালু করুন: মূল মডেল তিন ভাগের এক ভাগ জায়গা নেবে, সময় লাগবে একটু বেশি।",
        "Turn it on if memory runs out: the base takes a third of the memory and trains a little slower.",
    ),
    "base.dtype": (
        "মডেলের সংখ্যাগুলো যেভাবে মেমোরিতে থাকে; auto রাখলে কম্পিউটার বুঝে নিজেই বেছে নেয়।",
        "How the model's numbers are held while training; auto picks what suits the machine.",
    ),
    "data.source": (
        "যা থেকে শিখবে: CSV, JSONL বা Parquet ফাইল, নয়তো Hugging Face-এর কোনো ডেটাসেটের নাম; dpo হলে dpo.jsonl।",
        "What to learn from: a CSV, JSONL or Parquet file, or a data set id on the Hugging Face Hub; for dpo a dpo.jsonl.",
    ),
    "data.question": (
        "মানুষের কথা যে কলামে আছে; নামটা ফাইলে যেমন আছে, হুবহু তেমনই লিখুন।",
        "Column with what the person writes; give its name exactly as in the file.",
    ),
    "data.answer": (
        "যে উত্তর দিতে শিখবে, সেটা যে কলামে আছে; নামটা ফাইলে যেমন আছে, হুবহু তেমনই লিখুন।",
        "Column with the reply to learn; give its name exactly as in the file.",
    ),
    "data.topic": (
        "বিষয় বা আবেগ যে কলামে লেখা আছে; ফাইলে না থাকলেও চলবে।",
        "Column with the topic or emotion; the file may lack it.",
    ),
    "data.title": (
        "শিরোনাম যে কলামে আছে, তা দেখে একই আলাপের সারি চেনা যায়; ফাইলে না থাকলেও চলবে।",
        "Column with the title, which tells which rows are one conversation; the file may lack it.",
    ),
    "data.deduplicate": (
        "প্রশ্ন আর উত্তর দুটোই আগে এসে থাকলে সেই সারি বাদ যায়; চালু রাখাই ভালো।",
        "Drops rows whose question and answer both occurred before; best left on.",
    ),
    "data.group": (
        "কাছাকাছি প্রশ্ন আর একই আলাপ এক ভাগে রাখে; বন্ধ করলে যাচাইয়ের ফল আসলের চেয়ে ভালো দেখাবে।",
        "Keeps similar questions and one conversation in one split; without it, evaluation looks better than it is.",
    ),
    "data.min_characters": (
        "প্রশ্ন বা উত্তর এর চেয়ে ছোট হলে বাদ যায়; দায়সারা ছোট উত্তর বেশি থাকলে বাড়ান।",
        "Shorter questions and replies are dropped; raise it if many replies are curt.",
    ),
    "data.min_bengali": (
        "লেখায় বাংলা অক্ষরের ভাগ এর কম হলে বাদ যায় (১ মানে পুরোটাই বাংলা); মেশানো লেখা না চাইলে বাড়ান।",
        "Texts with a smaller share of Bengali letters are dropped (1 is all); raise it to keep mixed writing out.",
    ),
    "data.seed": (
        "কোন সারি শেখায় যাবে আর কোনটা যাচাইয়ে, তা ঠিক করে; দুটো রান তুলনা করতে চাইলে একই রাখুন।",
        "Decides which rows are for training and which for evaluation; keep it the same to compare runs.",
    ),
    "data.prompt_format": (
        "আলাপটা যে ছাঁচে মডেলকে দেওয়া হয়; অন্য কিছুর সঙ্গে মেলানোর দরকার না থাকলে shohomormi রাখুন।",
        "How a conversation is written for the model; keep shohomormi unless you have to match something else.",
    ),
    "data.system_prompt": (
        "প্রতিটি আলাপের শুরুতে মডেলকে এটা বলা থাকে, শেখার সময়ও, পরে কথা বলার সময়ও।",
        "Told to the model at the head of every conversation, while it learns and when you talk to it.",
    ),
    "adapter.r": (
        "বাড়ালে বেশি শিখতে পারে, মেমোরিও বেশি লাগে; সারি কম হলে ছোট রাখুন, নইলে মুখস্থ করে ফেলবে।",
        "More lets it learn more and takes more memory; keep it small for few rows, or it learns them by heart.",
    ),
    "adapter.lora_alpha": (
        "অ্যাডাপ্টারের প্রভাব কতটা জোরালো হবে (আলফা ÷ r); সাধারণত r-এর সমান বা দ্বিগুণ রাখা হয়।",
        "How strong the adapter's effect is (alpha ÷ r); usually as large as r, or twice as large.",
    ),
    "adapter.lora_dropout": (
        "শেখার সময় এলোমেলোভাবে কিছু অংশ বাদ রাখে; মুখস্থ করে ফেললে ০.০৫ বা ০.১ দিয়ে দেখুন।",
        "Leaves out a random share while it learns; if it learns by heart, try 0.05 or 0.1.",
    ),
    "adapter.bias": (
        "সঙ্গে বায়াসও শিখবে কি না; Llama-য় বায়াস থাকে না, তাই none রাখুন।",
        "Whether biases are trained as well; Llama has none, so leave it at none.",
    ),
    "adapter.target_modules": (
        "মডেলের যেসব অংশে অ্যাডাপ্টার বসবে; সবগুলোয় বসলে সবচেয়ে ভালো শেখে, কমালে মেমোরি বাঁচে।",
        "Which projections get an adapter; with all of them it learns best, fewer save memory.",
    ),
    "adapter.start_from": (
        "রানের নাম, demo বা কোনো ফোল্ডার দিলে সেই অ্যাডাপ্টারকেই আরও শেখায়; ফাঁকা রাখলে একদম নতুন করে শুরু হয়।",
        "A run's name, demo, or a folder: that adapter then learns on; left empty, a fresh one begins.",
    ),
    "training.objective": (
        "sft শেখে ভালো উত্তর দেখে, dpo শেখে ভোটের ফাইল (dpo.jsonl) থেকে কোন উত্তর মানুষের বেশি পছন্দ; dpo-তে শেখার হার কম রাখুন।",
        "sft learns from replies, dpo from votes (dpo.jsonl) which of two replies people prefer; give dpo a lower learning rate.",
    ),
    "training.beta": (
        "শুধু dpo-র জন্য: বাড়ালে শুরুর অ্যাডাপ্টারের কাছাকাছি থাকে, কমালে ভোটের দিকে আরও ঝোঁকে।",
        "For dpo only: more keeps it close to where it began, less lets it follow the votes further.",
    ),
    "training.engine": (
        "auto এই কম্পিউটারের উপযোগীটা নিজেই বেছে নেয়; unsloth চালাতে GPU লাগে, আর তাতে শুধু sft শেখানো যায়; transformers চলে সবখানে।",
        "auto takes the one that suits this machine; unsloth needs a GPU and trains sft only, transformers runs anywhere.",
    ),
    "training.plan": (
        "auto দিলে কার্ড বুঝে নিজেই ব্যাচ সাজায়, খুব ছোট কার্ডে ৪-বিট মডেল নেয়; as_written দিলে যা লেখা তা-ই হয়।",
        "auto suits batches to the card, and takes the 4-bit base on a small one; as_written does just what stands here.",
    ),
    "training.padding_free": (
        "উদাহরণগুলো প্যাডিং ছাড়া পরপর বসায়, শেখা একই থাকে, অনেক তাড়াতাড়ি হয়; auto থাকলে নিজে থেকেই চালু হয়।",
        "Puts examples one behind another without padding: learns the same, far faster; auto turns it on by itself.",
    ),
    "training.most_tokens": (
        "শুধু প্যাডিং ছাড়া ব্যাচে লাগে, ০ দিলে মেমোরিতে যত ধরে; শেখা একই থাকে, মেমোরি ফুরোলে কমান।",
        "For batches without padding only; 0 takes what memory holds, and less learns the same if memory runs out.",
    ),
    "training.recompute_mlps": (
        "শুধু প্যাডিং ছাড়া ব্যাচে লাগে, auto নিজেই ঠিক করে; শেখা একই থাকে, মেমোরি বাঁচে, সময় একটু বেশি লাগে।",
        "For batches without padding only, and auto sees to it: learns the same in less memory and a little more time.",
    ),
    "training.max_length": (
        "উদাহরণ এর চেয়ে লম্বা হলে শেষটা কাটা পড়ে; অনেকগুলো কাটা পড়লে বাড়ান, মেমোরি ফুরোলে কমান।",
        "Longer examples lose their end; raise it if many are cut, lower it if memory runs out.",
    ),
    "training.per_device_train_batch_size": (
        "একবারে কয়টা উদাহরণ দেখবে; মেমোরি ফুরোলে অর্ধেক করুন, আর “কয় ব্যাচে এক ধাপ” দ্বিগুণ।",
        "Examples seen at once; if memory runs out, halve it and double the gradient accumulation.",
    ),
    "training.per_device_eval_batch_size": (
        "যাচাইয়ের সময় একবারে কয়টা উদাহরণ দেখবে; এতে শেখা বদলায় না, মেমোরি ফুরোলে কমান।",
        "Examples seen at once while evaluating; what is learnt stays the same, so lower it if memory runs out.",
    ),
    "training.gradient_accumulation_steps": (
        "কয় ব্যাচ দেখে এক ধাপ শিখবে; বাড়ালে শেখা স্থির হয়, মেমোরি বাড়ে না, তবে ধাপে সময় বেশি লাগে।",
        "Batches per step; more makes learning steadier at the same memory, but each step takes longer.",
    ),
    "training.learning_rate": (
        "এক ধাপে মডেল কতটা বদলাবে; লস লাফালাফি করলে কমান, কমতেই না চাইলে একটু বাড়ান।",
        "How far a step changes the model; lower it if the loss jumps, raise it a little if the loss hardly falls.",
    ),
    "training.lr_scheduler_type": (
        "শেখার হার শেষের দিকে কীভাবে কমবে; cosine প্রায় সব ক্ষেত্রেই ভালো।",
        "How the learning rate falls towards the end; cosine nearly always does well.",
    ),
    "training.warmup_steps": (
        "এত ধাপে শেখার হার আস্তে আস্তে চূড়ায় ওঠে; শুরুতেই লস লাফালে বাড়ান, রান ছোট হলে কমান।",
        "Steps until the learning rate peaks; raise it if the loss jumps at the start, lower it for a short run.",
    ),
    "training.weight_decay": (
        "ওয়েটগুলোকে বেশি বড় হতে দেয় না; মুখস্থ করে ফেললে একটু বাড়ান, এমনিতে বদলানোর দরকার হয় না।",
        "Keeps the weights small; raise it a little if it learns by heart, else it seldom needs a change.",
    ),
    "training.max_grad_norm": (
        "গ্রেডিয়েন্ট এর চেয়ে বড় হলে ছেঁটে ছোট করা হয়; লস হঠাৎ লাফালে কমান, ০ দিলে ছাঁটা হয় না।",
        "Longer gradients are cut to this; lower it if the loss suddenly jumps, 0 turns it off.",
    ),
    "training.optim": (
        "ওয়েট বদলানোর পদ্ধতি; নামে 8bit থাকলে GPU-র মেমোরি বাঁচে, GPU না থাকলে adamw_torch-ই চলে।",
        "How weights are updated; those with 8bit save GPU memory, and without a GPU it is always adamw_torch.",
    ),
    "training.num_train_epochs": (
        "পুরো ডেটা কতবার দেখবে (০.৫ মানে অর্ধেকটা); বাড়ালে বেশি শেখে, বেশি বাড়ালে মুখস্থ করে।",
        "Passes over the data (0.5 is half of it); more teaches more, too many and it learns by heart.",
    ),
    "training.max_steps": (
        "মোট কয় ধাপ শিখবে; চট করে পরখ করতে কম দিন, -1 দিলে ইপকের হিসাবে চলবে।",
        "How many steps it learns; give few for a quick trial, -1 goes by the epochs.",
    ),
    "training.eval_steps": (
        "এত ধাপ পরপর না-দেখা উদাহরণে লস মাপে; কমালে উন্নতি ঘন ঘন দেখবেন, তবে সময় বেশি লাগবে।",
        "How often the loss on unseen examples is measured; fewer steps show more, but take more time.",
    ),
    "training.early_stopping_patience": (
        "পরপর এতবার যাচাইয়ে লস আর না কমলে নিজেই থেমে যায়; ২ বা ৩ দিয়ে দেখুন, ০ মানে বন্ধ।",
        "Ends by itself after so many evaluations without a new best loss; try 2 or 3, 0 turns it off.",
    ),
    "training.eval_rows": (
        "যাচাইয়ে কয়টা সারি দেখবে; সময় বেশি লাগলে কয়েকশোতে নামান, ০ দিলে সব দেখে।",
        "Rows that an evaluation looks at; a few hundred make it quicker, 0 takes all.",
    ),
    "training.save_steps": (
        "এত ধাপ পরপর চেকপয়েন্ট রাখে, বন্ধ হলে সেখান থেকে আবার চলে; যাচাইয়ের ধাপের গুণিতক দিন।",
        "How often a checkpoint is kept to resume from; give a multiple of the steps between evaluations.",
    ),
    "training.save_total_limit": (
        "এর বেশি হলে পুরোনো চেকপয়েন্ট মুছে যায়; ডিস্কে জায়গা কম থাকলে কমান।",
        "Beyond these, older checkpoints are deleted; lower it if the disk is nearly full.",
    ),
    "training.load_best_model_at_end": (
        "যাচাইয়ে লস যে চেকপয়েন্টে সবচেয়ে কম, শেষে সেটাই থাকে; বন্ধ করলে শেষ ধাপেরটা থাকে।",
        "Ends with the checkpoint of the lowest evaluation loss; turned off, with the last step.",
    ),
    "training.logging_steps": (
        "এত ধাপ পরপর লস আর বাকি হিসাব লেখা হয়; রান খুব লম্বা হলে বাড়ান।",
        "How often loss and other metrics are written down; raise it for a very long run.",
    ),
    "training.gradient_checkpointing": (
        "মেমোরি ফুরোলে চালু করুন: মেমোরি অনেক কম লাগে, সময় চার ভাগের এক ভাগ থেকে তিন ভাগের এক ভাগ বাড়ে।",
        "Turn it on if memory runs out: far less memory, for a quarter to a third more time.",
    ),
    "training.activation_offloading": (
        "গ্রেডিয়েন্ট চেকপয়েন্টিং চালু থাকলে GPU-র মেমোরি আরও বাঁচে, সময় প্রায় একই থাকে; auto নিজেই ঠিক করে।",
        "With gradient checkpointing it saves more of the GPU's memory for hardly any time; auto sees to it.",
    ),
    "training.seed": (
        "সারির ক্রম আর অ্যাডাপ্টারের শুরুটা ঠিক করে; দুটো রান তুলনা করতে চাইলে একই রাখুন।",
        "Decides the order of rows and the initial adapter; keep it the same to compare runs.",
    ),
    "training.sample_prompts": (
        "প্রতি যাচাইয়ে মডেল এগুলোর উত্তর দেয়, শেখাটা চোখে দেখবেন; এক লাইনে একটা লিখুন, ফাঁকা রাখলে বন্ধ।",
        "Every evaluation answers these, so that you watch it learn; one a line, none turns it off.",
    ),
    "generation.max_new_tokens": (
        "উত্তর এর চেয়ে লম্বা হবে না; মাঝপথে থেমে গেলে বাড়ান।",
        "No reply gets longer than this; raise it if replies break off.",
    ),
    "generation.temperature": (
        "০ দিলে প্রতিবার একই উত্তর; বাড়ালে কথায় বৈচিত্র্য আসে, বেশি বাড়ালে এলোমেলো হয়ে যায়।",
        "0 gives the same reply every time; more brings variety, too much brings nonsense.",
    ),
    "generation.top_p": (
        "সবচেয়ে মানানসই টোকেনের এতটা ভাগ থেকেই বাছে; কমালে উত্তর সাবধানী হয়, বাড়ালে বৈচিত্র্য আসে।",
        "Picks only from the likeliest tokens that make up this share; less is safer, more is more varied.",
    ),
    "generation.repetition_penalty": (
        "একই কথা বারবার বললে ১ থেকে অল্প অল্প করে বাড়ান; বেশি বাড়ালে বাংলা ভেঙে যায়।",
        "If it repeats itself, raise it from 1 in small steps; too much breaks the Bengali.",
    ),
    "generation.seed": (
        "একই সিডে একই উত্তর আসে; অন্য রকম উত্তর দেখতে চাইলে বদলান।",
        "Same seed, same reply; change it to see another.",
    ),
    "tracking.report_to": (
        "রানের ফোল্ডার ছাড়া হিসাব আর কোথায় থাকবে; trackio এই কম্পিউটারেই রাখে, wandb চাইলে বাইরেও পাঠায়।",
        "Where metrics go besides the run's folder; trackio keeps them on this machine, wandb can send them away.",
    ),
    "tracking.mode": (
        "offline হলে কিছুই বাইরে যায় না, পরে wandb sync দিয়ে পাঠানো যায়; online হলে সঙ্গে সঙ্গেই যায়।",
        "offline sends nothing until you run wandb sync; online sends it to W&B while it trains.",
    ),
    "tracking.project": (
        "ট্র্যাকারে রানগুলো এই নামের নিচে জমা হয়; যেগুলো তুলনা করবেন, সেগুলোতে একই নাম দিন।",
        "The tracker collects runs under this name; give the same to runs that you want to compare.",
    ),
    "tracking.run_name": (
        "ট্র্যাকারে এই রান যে নামে দেখা যাবে; ফাঁকা রাখলে রানের ফোল্ডারের নামটাই থাকবে।",
        "Name of this run in the tracker; empty takes the run folder's.",
    ),
}

FIELDS: dict[str, tuple[str, str, str, str]] = {name: (*_LABELS[name], *_EXPLANATIONS[name]) for name in _LABELS}
"""`section.field`: label in Bengali and English, explanation in Bengali and English."""
