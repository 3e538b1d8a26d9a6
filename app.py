"""Read the environment, build the services, launch the page: nothing else.

SHOHOMORMI_HOME             where runs, pairs, votes and uploads live, ./workspace by default
SHOHOMORMI_ADMIN_PASSWORD   where it is set, only who knows it can train, make pairs and read the verdict
SHOHOMORMI_BACKEND_URL      an OpenAI-compatible server that chat and compare use; _MODEL and _KEY go with it
GRADIO_SERVER_NAME          address to listen on, 127.0.0.1 by default (Spaces set their own)
GRADIO_SERVER_PORT          port, the first free one from 7860 by default
"""

from __future__ import annotations

import os

from finetune import processors
from finetune.terminal import home
from ui import errors, layout, log, services

processors.bound_threads()
log.begin()
errors.begin()

shared = services.build(home(), os.environ.get("SHOHOMORMI_ADMIN_PASSWORD", ""))
demo = layout.build(shared)

if __name__ == "__main__":
    shared.mind_queue()
    demo.queue(default_concurrency_limit=8).launch(**layout.launch_settings())
