"""What Gradio itself says: it speaks thirty languages, and Bengali is none of them.

`KEYS` are its own translation keys; put flat into our locales, they come before Gradio's nested ones. `FIXED` is what
its components say in English whatever the language is; `assets/gradio_bengali.js` says it in Bengali, with `{0}`,
`{1}` for what stands in between. Only what a person can meet on this page is here: there is no audio, no image, no
login. Keys and texts are those of Gradio 6.31, and a test compares them with the one that is installed.
"""

from __future__ import annotations

KEYS: dict[str, tuple[str, str]] = {
    "chatbot.cancel": ("বাদ দিন", "Cancel"),
    "chatbot.clear": ("মুছে ফেলুন", "Clear"),
    "chatbot.copied_message": ("কপি হয়েছে", "Copied message"),
    "chatbot.copy_message": ("কপি করুন", "Copy message"),
    "chatbot.dislike": ("ভালো লাগেনি", "Dislike"),
    "chatbot.edit": ("বদলান", "Edit"),
    "chatbot.like": ("ভালো লেগেছে", "Like"),
    "chatbot.retry": ("আরেকটা উত্তর", "Retry"),
    "chatbot.submit": ("পাঠান", "Submit"),
    "chatbot.undo": ("ফিরিয়ে নিন", "Undo"),
    "checkbox.checkbox": ("টিক ঘর", "Checkbox"),
    "checkbox.checkbox_group": ("টিক ঘরগুলো", "Checkbox Group"),
    "code.code": ("কোড", "Code"),
    "common.clear": ("মুছে ফেলুন", "Clear"),
    "common.complete": ("হয়ে গেছে", "Complete"),
    "common.download": ("নামিয়ে নিন", "Download"),
    "common.download_all": ("সব নামিয়ে নিন", "Download All"),
    "common.edit": ("বদলান", "Edit"),
    "common.error": ("গোলমাল হয়েছে", "Error"),
    "common.loading": ("আসছে", "Loading"),
    "common.or": ("নয়তো", "or"),
    "common.progress": ("কতটা হলো", "Progress"),
    "common.remove": ("সরিয়ে দিন", "Remove"),
    "common.undo": ("ফিরিয়ে নিন", "Undo"),
    "common.upload": ("ফাইল দিন", "Upload"),
    "dataframe.clear_filter": ("ছাঁকনি তুলে দিন", "Clear filters"),
    "dataframe.clear_sort": ("আগের ক্রমে ফিরুন", "Clear sort"),
    "dataframe.filter": ("ছেঁকে দেখুন", "Filter"),
    "dataframe.sort_ascending": ("ছোট থেকে বড় সাজান", "Sort ascending"),
    "dataframe.sort_descending": ("বড় থেকে ছোট সাজান", "Sort descending"),
    "file.uploading": ("ফাইল আপলোড হচ্ছে…", "Uploading..."),
    "plot.plot": ("গ্রাফ", "Plot"),
    "radio.radio": ("বিকল্প", "Radio"),
    "status.queue_position": ("সারিতে {size} জনের মধ্যে আপনি {position} নম্বরে", "In queue: {position} of {size}"),
    "upload_text.click_to_upload": ("ক্লিক করে বাছুন", "Click to Upload"),
    "upload_text.drop_file": ("ফাইলটা টেনে এনে এখানে ছাড়ুন", "Drop File Here"),
}
"""Bengali and English by Gradio's key; the English is Gradio's, for our English falls back on our Bengali."""

UNDEFINED = ("common.upload", "common.complete")
"""Keys that Gradio's pages ask for and no file of Gradio's answers: without us a page reads “common.complete”."""

FIXED: dict[str, str] = {
    # names that only a screen reader or a tooltip says
    "More tabs": "আরও ট্যাব",
    "Close": "বন্ধ করুন",
    "Download": "নামিয়ে নিন",
    "Copy": "কপি করুন",
    "Copied": "কপি হয়েছে",
    "copy": "কপি করুন",
    "Fullscreen": "পুরো পর্দায় দেখুন",
    "Exit fullscreen mode": "পুরো পর্দা থেকে ফিরুন",
    "Code input container": "কোড",
    "Fold line": "লাইন গুটিয়ে নিন",
    "Unfold line": "লাইন খুলে দিন",
    "Reset to default value": "শুরুতে যা ছিল তা-ই করুন",
    "number input for {0}": "{0}, সংখ্যা লিখে",
    "range slider for {0}": "{0}, টেনে",
    "Select/Deselect All": "সব বাছুন বা ছাড়ুন",
    "Empty value": "ফাঁকা",
    # files
    "Click to upload or drop files": "ক্লিক করে ফাইল বাছুন, নয়তো টেনে এনে ছাড়ুন",
    "File upload": "ফাইল দিন",
    "Remove this file": "ফাইলটা সরিয়ে দিন",
    # the table of runs
    "Dataframe": "তালিকা",
    "Table actions": "তালিকার কাজ",
    "Copy table data": "তালিকাটা কপি করুন",
    "Copied to clipboard": "কপি হয়েছে",
    "Open cell menu": "কলামের মেনু খুলুন",
    "Filter as": "ছাঁকার ধরন",
    "Type a value": "কী খুঁজছেন",
    "Change filter type. Filtering {0}s": "ছাঁকার ধরন বদলান",
    "Change filter. Using '{0}'": "ছাঁকার নিয়ম বদলান, এখন {0}",
    "Apply filter and update dataframe values": "ছেঁকে দেখান",
    "string": "লেখা",
    "number": "সংখ্যা",
    "Contains": "এটা আছে",
    "Does not contain": "এটা নেই",
    "Starts with": "এটা দিয়ে শুরু",
    "Ends with": "এটা দিয়ে শেষ",
    "Is": "হুবহু এটা",
    "Is not": "এটা নয়",
    "Is empty": "ফাঁকা",
    "Is not empty": "ফাঁকা নয়",
    # the conversation
    "chatbot conversation": "আলাপ",
    "user's message: {0}": "আপনি: {0}",
    "bot's message: {0}": "সহমর্মী: {0}",
    "Select example {0}: {1}": "উদাহরণ {0}: {1}",
    "Loading response": "উত্তর আসছে",
    "Loading content": "উত্তর আসছে",
    "Liked": "ভালো লেগেছে বলেছেন",
    "Disliked": "ভালো লাগেনি বলেছেন",
    "Scroll down": "নিচে যান",
    "Feedback": "মতামত",
    # waiting, and what went wrong
    "processing |": "কাজ চলছে |",
    "queue: {0}/{1} |": "সারিতে {1} জনের মধ্যে {0} নম্বরে |",
    "{0}s": "{0} সেকেন্ড",
    "from cache": "আগে থেকে রাখা",
    "Info": "জেনে রাখুন",
    "Success": "হয়ে গেছে",
    "Warning": "একটু খেয়াল করুন",
    "Error": "একটা সমস্যা হয়েছে",
    "Connection Lost": "সংযোগ নেই",
    "Connection to the server was lost. Attempting reconnection...": (
        "সার্ভারের সঙ্গে সংযোগ কেটে গেছে। নিজে থেকেই আবার চেষ্টা চলছে, একটু অপেক্ষা করুন।"
    ),
    "Invalid file type{0}: {1}. Only {2} allowed.": "এই ধরনের ফাইল নেওয়া যায় না: {1}। এগুলোর একটা দিন: {2}",
    "Invalid file type. Please upload a file that is one of these formats: {0}": (
        "এই ধরনের ফাইল নেওয়া যায় না। এগুলোর একটা দিন: {0}"
    ),
}
"""Bengali by the English that stands in Gradio's components."""
