"""Wellhead inside a program, without a service: add a data source, check it, and use it.

Run it: uv run python examples/embed.py
"""

import csv
import tempfile
from pathlib import Path

import wellhead


def main() -> None:
    """Make a workspace in a temporary directory, and work in it."""
    with tempfile.TemporaryDirectory() as directory:
        Path(directory, "sales.csv").write_text("region;amount\nnorth;10\nsouth;20\n", encoding="utf-8")
        with wellhead.open_workspace(directory) as workspace:
            workspace.add({"type": "csv", "name": "sales", "path": "sales.csv"})

            result = workspace.validate("sales")
            print(f"{result.status}: {result.warnings[0].hint}")

            workspace.update("sales", {"delimiter": ";"})
            print(f"{workspace.validate('sales').status}, revision {workspace.get('sales').revision}")

            # A program that uses a data source takes it with its secrets in clear; a CSV has none.
            sales = workspace.resolve("sales")
            with Path(directory, sales.path).open(encoding=sales.encoding, newline="") as file:
                for row in csv.DictReader(file, delimiter=sales.delimiter):
                    print(row["region"], row["amount"])


if __name__ == "__main__":
    main()
