"""What the Chat tab says, in Bengali and English. Only words live here."""

from __future__ import annotations

LABELS: dict[str, tuple[str, str]] = {
    "chat.panel": ("আলাপ", "Conversation"),
    "chat.message": ("আপনার কথা", "Your message"),
    "chat.message.placeholder": ("যা মনে আসে লিখুন…", "Write whatever comes to mind, in Bengali…"),
    "chat.welcome": (
        "### কেমন কাটছে আজকের দিনটা?\nযা বলতে ইচ্ছে করে, বলুন। আমি একটা প্রোগ্রাম, মানুষ নই; তবু মন দিয়ে শুনব।",
        "### How is your day going?\nSay whatever you like, in Bengali. I am a program, not a person; still, I will listen.",
    ),
    "chat.send": ("পাঠান", "Send"),
    "chat.retry": ("আরেকটা উত্তর", "Another answer"),
    "chat.undo": ("ফিরিয়ে নিন", "Undo"),
    "chat.clear": ("নতুন আলাপ", "New chat"),
    "chat.listen": ("শুনুন", "Listen"),
    "chat.system": ("মডেলকে শুরুতে যা বলা থাকবে", "What the model is told first"),
    "chat.system.info": (
        "ফাঁকা রাখলে শেখানোর সময় যা বলা ছিল, তা-ই থাকবে।",
        "Left empty, it is told what it was told in training.",
    ),
    "chat.shelf": ("আগের আলাপ", "Earlier conversations"),
    "chat.meant": ("বুঝেছি", "Understood"),
    "chat.meant.info": (
        "বাংলা হরফে এভাবে পড়লাম। ভুল হলে শুধরে দিন।",
        "This is how it was read in Bengali letters. Put it right where it is wrong.",
    ),
    "chat.meant.again": ("শুধরে আবার পাঠান", "Correct and send again"),
    "chat.liked_for": ("কী ভালো লেগেছে", "What was good"),
    "chat.disliked_for": ("কী ভালো লাগেনি", "What was not"),
    "chat.consent": ("হ্যাঁ, শেখানোর কাজে দিচ্ছি", "Yes, I give it for teaching"),
    "chat.consent.info": (
        "এই উত্তর আর এর আগের কথাগুলো মডেলকে শেখানোর কাজে দিচ্ছি। এগুলো এই অ্যাপের কম্পিউটারে থাকবে, আর যিনি অ্যাপটা চালান"
        " তিনি পড়তে পারবেন। যখন খুশি ফিরিয়ে নিতে পারবেন, তখন লেখাগুলো মুছে যাবে। তবে তার আগে যা কপি হয়ে গেছে বা মডেল শিখে"
        " ফেলেছে, তা আর ফেরানো যাবে না। কারও নাম, ফোন নম্বর বা ঠিকানা থাকলে দেবেন না।",
        "I give this reply and the messages before it for teaching the model. They stay on this app's computer, where"
        " whoever runs it can read them. I can take them back at any time, and they are deleted; what was copied or learnt"
        " before that cannot be undone. Do not give anything with names, phone numbers or addresses in it.",
    ),
    "chat.give": ("জমা দিন", "Give it"),
    "chat.withdraw": ("যা দিয়েছি সব ফিরিয়ে নিন", "Take back all that I gave"),
}

SENTENCES: dict[str, tuple[str, str]] = {
    "chat.crisis.after": (
        "আপনার কথাটা আমার মনে আছে। আমি তো একটা প্রোগ্রাম, আপনার পাশে একজন মানুষ দরকার। এখনই নিচের কোনো নম্বরে ফোন করবেন,"
        " বা কাছের কাউকে ডাকবেন?",
        "I have not forgotten what you said. I am only a program, and what you need beside you is a person. Would you call"
        " one of the numbers below, or ask somebody near you to come, right now?",
    ),
    "chat.withheld": (
        "এখানে এমন একটা কথা আসছিল যা আপনাকে কষ্ট দিতে পারত, তাই দেখালাম না। মন খুব ভারী লাগলে নিচের কোনো নম্বরে ফোন করুন,"
        " বা কাছের কাউকে বলুন।",
        "Something was about to come here that could have hurt you, so it is not shown. If things weigh heavily on you,"
        " call one of the numbers below, or tell somebody near you.",
    ),
    "chat.care": (
        "মনটা বোধহয় খুব ভারী হয়ে আছে। ইচ্ছে হলে এখনই কারও সঙ্গে কথা বলতে পারেন:",
        "You seem to be carrying a lot. If you like, you can talk to somebody right now:",
    ),
    "chat.occupied": (
        "মডেলটা এখন আরও একটা কাজ করছে, তাই উত্তর শুরু হতে একটু বেশি সময় লাগবে।",
        "The model is at other work too just now, so a reply takes a little longer to begin.",
    ),
    "chat.left_out": (
        "আলাপটা লম্বা হয়ে গেছে: শুরুর দিকের {count}টা কথা আর তার উত্তর মডেল এখন আর দেখছে না।",
        "The conversation has grown long: the model no longer sees the first {count} messages and their replies.",
    ),
    "chat.given": (
        "জমা হলো, ধন্যবাদ। যখন খুশি ফিরিয়ে নিতে পারেন।",
        "It is kept, thank you. Take it back whenever you like.",
    ),
    "chat.not_given": (
        "আলাপে খুব কষ্টের কথা আছে, তাই এটা শেখানোর কাজে নিলাম না।",
        "This conversation holds words of deep pain, so it was not taken for teaching.",
    ),
    "chat.withdrawn": ("যা দিয়েছিলেন সব মুছে ফেলা হয়েছে।", "All that you gave has been deleted."),
    "chat.consent_first": ("জমা দিতে হলে আগে সম্মতিতে টিক দিন।", "Tick your consent first, then give it."),
}

SHELF: dict[str, tuple[str, str]] = {
    "on": ("আলাপগুলো এই ব্রাউজারে রাখুন", "Keep conversations in this browser"),
    "where": (
        "শুধু এই ব্রাউজারেই থাকে, সার্ভারে নয়। এই ফোন বা কম্পিউটার অন্য কেউ ব্যবহার করলে বন্ধ রাখুন।",
        "They stay in this browser, not on the server. Turn it off where others use this phone or computer.",
    ),
    "off": ("নতুন কিছু আর রাখা হচ্ছে না।", "Nothing new is being kept."),
    "crowded": (
        "জায়গা ভরে যাওয়ায় সবচেয়ে পুরোনো আলাপ সরে গেছে। দরকারিগুলো নামিয়ে রাখুন।",
        "There was no more room, so the oldest conversations are gone. Save those that you need.",
    ),
    "search": ("আলাপ খুঁজুন", "Search conversations"),
    "nothing": ("এমন কিছু পাওয়া গেল না।", "Nothing like it was found."),
    "empty": ("এখনও কোনো আলাপ নেই।", "No conversations yet."),
    "rename": ("নাম বদলান", "Rename"),
    "markdown": ("Markdown নামান", "Save as Markdown"),
    "json": ("JSON নামান", "Save as JSON"),
    "delete": ("মুছুন", "Delete"),
    "sure": ("সত্যি মুছব?", "Really delete?"),
    "all_markdown": ("সব নামান (Markdown)", "Save all (Markdown)"),
    "all_json": ("সব নামান (JSON)", "Save all (JSON)"),
    "delete_all": ("সব মুছুন", "Delete all"),
    "me": ("আমি", "Me"),
    "model": ("সহমর্মী", "Shohomormi"),
    "alternatives": (
        "একই কথার কয়েকটা উত্তর। যেটা মনে ধরে, সেটা রাখুন।",
        "Several replies to the same message. Keep the one you like.",
    ),
    "stands": ("আলাপে এটাই আছে", "This one stands"),
    "take": ("এটা রাখুন", "Keep this one"),
}
"""What `assets/chat.js` says."""
