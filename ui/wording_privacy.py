"""What the privacy page says, in Bengali and English. Which of the sentences are true is found out in `privacy.py`."""

from __future__ import annotations

LABELS: dict[str, tuple[str, str]] = {
    "privacy.link": ("[আপনার কথা কোথায় থাকে?](privacy)", "[Where do your words go?](privacy)"),
    "privacy.forget": ("এই ব্রাউজারে যা রাখা আছে, সব মুছুন", "Delete all that this browser keeps"),
    "privacy.forget.sure": (
        "সব আলাপ আর যাচাইয়ে আপনার নাম এই ব্রাউজার থেকে মুছে যাবে, ফেরানো যাবে না। শেখানোর জন্য যা দিয়েছিলেন, অ্যাপের ফোল্ডার থেকে"
        " তা-ও মুছে যাবে। শুধু ভাষাটা মনে থাকবে।",
        "Every conversation, and who you are in the blind review, will be gone from this browser for good, and what you"
        " gave for teaching will be gone from the app's folder. Only the language is remembered.",
    ),
    "privacy.forget.yes": ("হ্যাঁ, সব মুছে ফেলুন", "Yes, delete it all"),
}

SENTENCES: dict[str, tuple[str, str]] = {
    "privacy.back": ("← অ্যাপে ফিরুন", "← Back to the app"),
    "privacy.title": ("আপনার কথা কোথায় থাকে", "Where your words go"),
    "privacy.intro": (
        "মন খুলে কথা বলতে হলে জানা দরকার, কথাগুলো যায় কোথায়। অ্যাপটা এই মুহূর্তে যেভাবে চলছে, তার হিসাব এখানে।",
        "To speak freely one has to know where the words go. This is how it stands, as the app is running right now.",
    ),
    # conversations
    "privacy.chat": ("আলাপ", "Conversations"),
    "privacy.chat.kept": (
        "আপনার আলাপ জমা থাকে শুধু আপনার এই ব্রাউজারে। আপনি নিজে না দিলে অ্যাপের কোনো ফাইলে বা লগে তার একটা শব্দও লেখা হয় না।",
        "Your conversations are kept in this browser of yours and nowhere else. Unless you give them, not a word is"
        " written to a file or a log of the app.",
    ),
    "privacy.chat.here": (
        "অ্যাপটা যে কম্পিউটারে চলছে, উত্তর লেখে সেখানকারই মডেল। কথাগুলো শুধু তার মেমোরিতে যায়, আর কোথাও পাঠানো হয় না।",
        "Replies are written by a model on the computer that this app runs on. Your words are only in its memory and are"
        " sent on to nobody.",
    ),
    "privacy.chat.elsewhere": (
        "উত্তর লেখে অন্য একটা সার্ভার: {host}। আপনি যা লেখেন, আলাপের আগের কথাগুলো সুদ্ধ, সেখানে যায়।"
        " ওখানে কী জমা থাকে, তা ওই সার্ভার যাঁরা চালান তাঁরাই বলতে পারবেন।",
        "Replies are written by another server: {host}. What you write goes there, with what was said before it."
        " What is kept there, only those who run it can say.",
    ),
    "privacy.chat.crisis": (
        "মরতে চাওয়া বা নিজের ক্ষতি করার কথা অ্যাপ চিনতে পারলে তা কোনো মডেলের কাছে যায় না; লগে, ভোটে বা শেখার ডেটায় জমাও হয় না।",
        "Words about dying or self-harm that the app recognises go to no model, and they are kept in no log, no vote and"
        " no training data.",
    ),
    "privacy.chat.feedback": (
        "কোনো উত্তর কেমন লাগল জানালেও কিছু জমা হয় না। প্রতিবার আলাদা করে সম্মতি দিলে তবেই ওই উত্তর আর তার আগের কথাগুলো"
        " অ্যাপের ফোল্ডারে থাকে, মডেলকে শেখানোর জন্য। তখন যিনি অ্যাপটা চালান তিনি পড়তে পারেন; আপনি যখন খুশি ফিরিয়ে নিতে পারেন।",
        "To say how a reply was keeps nothing. Only where you agree, each time anew, do that reply and what was said"
        " before it go into the app's folder, to teach a model. Then whoever runs the app can read them, and you can"
        " take them back at any time.",
    ),
    "privacy.chat.delete": (
        "আলাপ পাতার “আগের আলাপ” অংশে একটা একটা করে বা সব একসঙ্গে মোছা যায়, জমানো বন্ধও করা যায়। নিচের বোতামেও সব মোছা যায়।",
        "Under “Earlier conversations” on the Chat tab you can delete one or all of them, and turn the keeping off. The"
        " button below deletes everything, too.",
    ),
    # the blind review
    "privacy.review": ("যাচাই", "The blind review"),
    "privacy.review.kept": (
        "আপনার দেওয়া নাম, কোনটা বেছেছেন, কখন, আর চাইলে যা লিখেছেন, এটুকু অ্যাপের ফোল্ডারে থাকে। কোথা থেকে লিখছেন"
        " (IP ঠিকানা) তা রাখা হয় না। আপনাকে চেনার গোপন সংকেতটা থাকে আপনার ব্রাউজারে।",
        "The name you gave, what you chose, when, and what you wrote about it if you did: this is in the app's folder."
        " Where you write from (your IP address) is not kept. The secret that you are recognised by is in your browser.",
    ),
    "privacy.review.account": (
        "Space-এ লগইন করা থাকলে নামের জায়গায় থাকে আপনার Hugging Face অ্যাকাউন্টের নাম, আর লগইনটা মনে রাখতে লাগে আরও একটা কুকি।",
        "If you are logged in to the Space, the name is that of your Hugging Face account, and one more cookie remembers"
        " the login.",
    ),
    "privacy.review.seen": (
        "কে কী বেছেছেন, তা দেখতে পান শুধু যিনি অ্যাপটা চালান। রায়ের প্রতিবেদনে কারও নাম থাকে না।",
        "Who chose what is seen only by the person who runs the app. The verdict's report names nobody.",
    ),
    "privacy.review.delete": (
        "শেষ মতটা নিজেই ফেরাতে পারেন: তখন সেটা আর গোনা হয় না, তবে ভোটের খাতায় থেকে যায়। একেবারে মুছতে হলে যিনি অ্যাপটা চালান তাঁকে বলুন।",
        "You can take back your last vote: then it no longer counts, but the ledger of votes still holds it. To have it"
        " erased, ask the person who runs the app.",
    ),
    # training
    "privacy.train": ("শেখানো", "Training"),
    "privacy.train.kept": (
        "দেওয়া ফাইল, রান আর জোড়া থাকে অ্যাপের ফোল্ডারে। রান মুছলে তার সব ফাইলও মুছে যায়, সঙ্গে সেই ডেটাও যা আর কোনো রানে লাগে না।",
        "Uploaded files, runs and pairs are in the app's folder. To delete a run deletes all of its files, and with them"
        " the data that no other run has used.",
    ),
    "privacy.train.trackers": (
        "W&B বন্ধই থাকে। রেসিপিতে চালু করলে সেখানে যায় সেটিংস আর মাপজোখ; কারও লেখা বা মডেলের উত্তর যায় না।",
        "W&B is off. Where a recipe turns it on, it gets settings and figures, and nothing that a person or the model"
        " wrote.",
    ),
    "privacy.train.hub": (
        "Hugging Face থেকে শুধু সেই মূল মডেল বা ডেটা নামানো হয়, রেসিপিতে যার নাম আছে; সেখানে কিছু যায় শুধু কেউ নিজে পাঠালে।",
        "From Hugging Face comes only the base or the data that a recipe names, and something goes there only where"
        " somebody pushes it.",
    ),
    "privacy.train.locked": (
        "শেখানো, জোড়া বানানো আর রায় পাসওয়ার্ড দিয়ে আটকানো। তবে রানের তালিকা, গ্রাফ আর লগ যে পাতাটা খোলে সে-ই দেখতে পায়।",
        "Training, making pairs and the verdict are behind a password. The list of runs, their curves and their log can"
        " be seen by everybody who opens the page.",
    ),
    "privacy.train.open": (
        "এখানে কোনো পাসওয়ার্ড নেই: যে এই পাতা খুলতে পারে, সে-ই রান চালাতে ও মুছতে পারে, আর ভোটের রায় দেখতে পারে।",
        "There is no password here: everybody who can open this page can start and delete runs, and read the verdict.",
    ),
    # where it runs
    "privacy.place": ("অ্যাপটা কোথায় চলছে", "Where the app runs"),
    "privacy.place.computer": (
        "যাঁর কম্পিউটারে অ্যাপটা চলছে, তিনি অ্যাপের ফোল্ডারের সব ফাইল দেখতে পারেন।",
        "Whoever owns the computer that the app runs on can see every file in the app's folder.",
    ),
    "privacy.place.space": (
        "অ্যাপটা চলছে Hugging Face-এর কম্পিউটারে, {name} নামের Space-এ। Space-এর মালিক অ্যাপের ফোল্ডার আর লগ দেখতে পারেন। আপনার"
        " কথাও Hugging Face-এর সার্ভার হয়েই যায়, আর কে কখন পাতাটা খুলল, তা তারা জানতে পারে।",
        "The app runs on a computer of Hugging Face, in the Space {name}. The Space's owner can see the app's folder and"
        " its log. Your words pass through Hugging Face's machines, and they can know who opened the page, and when.",
    ),
    "privacy.place.shared": (
        "পাতাটা Gradio-র একটা খোলা লিংকেও পাওয়া যায়। ওই লিংক দিয়ে এলে কথাগুলো Gradio-র সার্ভার হয়ে যায়।",
        "The page is also open under a public link of Gradio's. Whoever comes through it sends their words by way of"
        " Gradio's servers.",
    ),
    "privacy.place.plain": (
        "এই সংযোগে https নেই: একই নেটওয়ার্কে থাকা কেউ চাইলে মাঝপথে আপনার কথা পড়তে পারে।",
        "This connection has no https: somebody on the same network could read your words on their way.",
    ),
    "privacy.place.changed": (
        "এই হিসাব অ্যাপটা যেমন লেখা হয়েছে তার। যিনি এটা চালান তিনি ভেতরে কিছু বদলে থাকলে, তা তাঁকেই জিজ্ঞেস করতে হবে।",
        "All this holds for the app as it was written. If the person who runs it has changed it, only they can say how.",
    ),
    # this browser
    "privacy.browser": ("এই ব্রাউজারে", "In this browser"),
    "privacy.browser.kept": (
        "একটা কুকিতে থাকে শুধু আপনার পছন্দের ভাষা। ব্রাউজারের নিজের স্টোরেজে থাকে আপনার আলাপ, যাচাইয়ের নাম, আর শেখানোর জন্য"
        " কী কী দিয়েছেন তার সংকেত।",
        "One cookie holds your language, and nothing else. The browser's own storage holds your conversations, your name"
        " in the blind review, and the marks by which what you gave for teaching can be taken back.",
    ),
    "privacy.browser.fetched": (
        "পাতাটা অন্য কোনো সাইট থেকে কিছু আনে না: না ফন্ট, না বিজ্ঞাপন, না আপনার ওপর নজর রাখার কোনো কোড।",
        "The page fetches nothing from any other site: no fonts, no advertisements, no code that watches you.",
    ),
    "privacy.forgotten": (
        "মুছে গেছে। এই অ্যাপ অন্য কোনো ট্যাবে খোলা থাকলে সেটাও বন্ধ করে দিন।",
        "It is gone. If this app is open in another tab of the browser, close that, too.",
    ),
}
