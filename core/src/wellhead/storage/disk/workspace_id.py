"""The id of a workspace: made once, and kept in the store, so that its secrets stay readable when it is moved."""

from __future__ import annotations

import json
import os
import re
import uuid

from wellhead import strict_json
from wellhead.errors import MalformedJSONError, StoreUnavailableError
from wellhead.storage.disk.directory import (
    PASSING,
    read_file,
    remove_quietly,
    storage_error,
    sync_directory,
    temporary_file,
    translated,
)

WORKSPACE_FILE = "workspace.json"
_MAX_BYTES = 4096
_UUID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def read_workspace_id(directory: int) -> str | None:
    """Return the id; None if none was made yet, or if it is damaged.

    Args:
        directory: The descriptor of the store's directory.

    Raises:
        StorageError: The machine is out of descriptors or memory.
    """
    try:
        found = read_file(directory, WORKSPACE_FILE, _MAX_BYTES)
    except OSError as error:
        if error.errno in PASSING:
            raise storage_error(error) from error
        return None
    return None if found is None else _id_in(found[0])


def make_workspace_id(directory: int) -> str:
    """Return the id, made now if there is none.

    Raises:
        StorageError: There is one that is damaged, or it could not be stored.
    """
    with translated():
        found = read_file(directory, WORKSPACE_FILE, _MAX_BYTES)
    if found is None:
        _make(directory)
        return make_workspace_id(directory)
    if (known := _id_in(found[0])) is None:
        raise StoreUnavailableError(f"'{WORKSPACE_FILE}' in the store is damaged. Restore it from a backup.")
    return known


def _make(directory: int) -> None:
    """Store a new id; if another process was first, keep that one's."""
    content = json.dumps({"wellhead_format": 1, "id": str(uuid.uuid4())}).encode() + b"\n"
    with temporary_file(directory, content, durable=True) as temporary:
        try:
            os.link(temporary, WORKSPACE_FILE, src_dir_fd=directory, dst_dir_fd=directory)
        except FileExistsError:
            return
        finally:
            remove_quietly(directory, temporary)
    sync_directory(directory)


def _id_in(content: bytes) -> str | None:
    try:
        found = strict_json.parse_object(content).get("id")
    except MalformedJSONError:
        return None
    return found if isinstance(found, str) and _UUID.fullmatch(found) else None
