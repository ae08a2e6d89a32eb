"""Data sources in files: the types `csv` and `json`."""

from __future__ import annotations

import wellhead
from wellhead_files.csv_files import CsvDataSource, CsvValidator
from wellhead_files.json_files import JsonDataSource, JsonValidator

__all__ = ["CsvDataSource", "CsvValidator", "JsonDataSource", "JsonValidator", "wellhead_data_source_types"]


@wellhead.hookimpl
def wellhead_data_source_types() -> list[wellhead.DataSourceType]:
    """Provide the types `csv` and `json`."""
    return [
        wellhead.DataSourceType(CsvDataSource, CsvValidator, title="CSV", icon="📄"),
        wellhead.DataSourceType(JsonDataSource, JsonValidator, title="JSON", icon="🧾"),
    ]
