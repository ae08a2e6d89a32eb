"""The program `wellhead`, which is `python -m wellhead` too: the command line."""

from __future__ import annotations

from wellhead import lean

lean.start()
from wellhead.cli.main import main  # noqa: E402  # after what is above

if __name__ == "__main__":
    main()
