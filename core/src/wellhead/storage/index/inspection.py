"""What `wellhead doctor` says of the index. It is never a problem: without it, lists look at the records themselves."""

from __future__ import annotations

from wellhead.errors import StorageError
from wellhead.storage.findings import Finding
from wellhead.storage.index.file import IndexUnusableError
from wellhead.storage.index.indexing import Indexing

_PART = "index"


def inspect_index(indexing: Indexing, directory: int, *, repair: bool) -> Finding:
    """Compare the index with the files, and bring it up to them, if that is wanted.

    Args:
        indexing: The index.
        directory: The descriptor of the store's directory.
        repair: Mend what differs.
    """
    try:
        if repair:
            indexing.sweep(directory)
        stale = indexing.count_stale(directory)
    except (IndexUnusableError, StorageError, OSError):
        return Finding(_PART, "ok", "There is no index just now: lists look at every record.")
    if stale and not repair:  # what was written a moment ago is looked at twice
        return Finding(_PART, "ok", f"Data sources to look at again: {stale}. Lists do so within a minute.")
    return Finding(_PART, "ok", "The index has what the files have.")
