"""Read the environment, build the services, launch the page: nothing else.

SHOHOMORMI_HOME       where runs and uploads live, ./workspace by default
GRADIO_SERVER_NAME    address to listen on, 127.0.0.1 by default (Spaces set their own)
GRADIO_SERVER_PORT    port, the first free one from 7860 by default
"""

from __future__ import annotations

import logging
import os
from pathlib import Path

from ui import layout, services

logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
logging.getLogger("httpx").setLevel(logging.WARNING)

shared = services.build(Path(os.environ.get("SHOHOMORMI_HOME", "workspace")).resolve())
demo = layout.build(shared)

if __name__ == "__main__":
    shared.warm_up()
    shared.mind_queue()
    demo.queue(default_concurrency_limit=8).launch(**layout.launch_settings())
