"""One of several processes of a service, as the supervisor runs it.

Its command is `python -m wellhead.api.serving.worker LISTENER LINE SETTINGS`. LISTENER and LINE are descriptors that
were handed down: of the socket to listen on, and of a line to the supervisor. By the line the worker says that it
answers, and is told when to look for plugins. SETTINGS is a JSON object of what the command line gave, and of what
tells the workers apart: nothing in it is secret.
"""

from __future__ import annotations

import json
import socket
import sys
from pathlib import Path
from typing import Any

from wellhead import lean

lean.start()
from wellhead import logs  # noqa: E402  # this, and all that follows, after what is above
from wellhead.api.live import LiveApp  # noqa: E402
from wellhead.api.serving import server  # noqa: E402
from wellhead.api.serving.line import Line  # noqa: E402
from wellhead.api.telemetry import tracing  # noqa: E402
from wellhead.api.telemetry.peers import Peers  # noqa: E402
from wellhead.errors import WellheadError  # noqa: E402
from wellhead.parts import check_plugins  # noqa: E402
from wellhead.service import make_service  # noqa: E402
from wellhead.settings import load_settings  # noqa: E402


def main(
    listener: socket.socket,
    line: socket.socket,
    *,
    config: str | None,
    directory: str,
    number: int,
    count: int,
    **given: Any,
) -> None:
    """Serve until SIGTERM, or until the supervisor is gone.

    Args:
        listener: The socket to listen on.
        line: The line to the supervisor.
        config: The path of the settings file, if there is one.
        directory: Where the workers have sockets to ask one another.
        number: The number of this worker, from 0.
        count: How many workers there are.
        **given: The settings that the command line gave.
    """
    to_supervisor = Line(line)
    settings = load_settings(None if config is None else Path(config), **given)
    logs.configure(settings.log_level, settings.log_format)
    service = make_service(settings)
    try:
        check_plugins(settings, service.types)
        app = LiveApp(service, Peers(Path(directory), number, count), tracing.from_environment())
        to_supervisor.serve(app)
        server.run(app, listener, announce=to_supervisor.announce)
    finally:
        service.close()


if __name__ == "__main__":
    listener_, line_ = (socket.socket(fileno=int(number)) for number in sys.argv[1:3])
    try:
        main(listener_, line_, **json.loads(sys.argv[3]))
    except WellheadError as error:
        sys.exit(f"Error: {error.message}")
