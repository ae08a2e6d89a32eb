"""The former revisions of a data source, in a file beside its record: JSON Lines, newest first.

A line has the members of the record as it was, its secrets sealed as they were, and `superseded`: when it was changed,
by whom, and in which fields. The file gets its name before the record gets its: after a crash in between, the newest
line is the revision that is still stored. Readers pass over it, and the next change takes it out.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

from wellhead.errors import RecordUnreadableError
from wellhead.storage.disk.directory import PASSING, read_file, remove_quietly, storage_error, temporary_file
from wellhead.storage.records import MAX_RECORD_BYTES, Record
from wellhead.storage.revisions import Revision, Rewritten, changed_fields, read_revision

MAX_KEPT = 200
_MAX_BYTES = MAX_KEPT * 3 * MAX_RECORD_BYTES  # a record, and the names of its fields and of those that followed
_MAX_NAME = 200


def history_name(record_id: str) -> str:
    """Return the name of the file with a data source's former revisions."""
    return f"{record_id}.history.jsonl"


def read_lines(directory: int, record_id: str) -> list[bytes]:
    """Return the lines of a history, whatever is in them; none if there is no history.

    Raises:
        RecordUnreadableError: The file cannot be read.
        StorageError: The machine is out of descriptors or memory.
    """
    try:
        found = read_file(directory, history_name(record_id), _MAX_BYTES)
    except OSError as error:
        if error.errno in PASSING:
            raise storage_error(error) from error
        raise _unreadable(record_id) from error
    if found is None:
        return []
    if len(found[0]) > _MAX_BYTES:
        raise _unreadable(record_id)
    return [line for line in found[0].split(b"\n") if line]


def _unreadable(record_id: str) -> RecordUnreadableError:
    return RecordUnreadableError(
        f"'{history_name(record_id)}' in the store, which keeps the former revisions, cannot be read. "
        "Check its owner and permissions, or take it away. Nothing was changed."
    )


@contextmanager
def prepared(
    directory: int,
    former: Record | None,
    record: Record,
    *,
    by: str | None,
    kept: int,
    changed: Sequence[str] | None = None,
) -> Iterator[Callable[[Record], None]]:
    """Write the history that is to stand beside a new state of a record, so that the lock is held for no disk.

    Args:
        directory: The directory's descriptor.
        former: The state that seems to be stored; None if there is none that could be kept.
        record: The new state.
        by: Who changes it.
        kept: How many revisions are kept; with 0, the history is taken away.
        changed: The names of the fields that are changed; found by comparing if left out.

    Yields:
        A function that puts the history in place. It is called under the lock, with the state that is really stored.
        Where that, or the history, has changed in the meantime, it writes anew.

    Raises:
        RecordUnreadableError: There is a history that cannot be read.
        StorageError: It could not be written.
    """
    with ExitStack() as files:
        history = _Prepared(directory, record, files, by=_told(by), changed=changed, kept=kept)
        if former is not None and kept:
            history.write(former)
        yield history.put


class _Prepared:
    """A history that is on disk under a name of its own, and what it was made from."""

    def __init__(
        self,
        directory: int,
        record: Record,
        files: ExitStack,
        *,
        by: str | None,
        changed: Sequence[str] | None,
        kept: int,
    ) -> None:
        self._directory = directory
        self._record = record
        self._by = by
        self._changed = changed
        self._kept = kept
        self._files = files
        self._basis: tuple[Record, list[bytes]] | None = None
        self._temporary: str | None = None

    def write(self, former: Record) -> str:
        """Write the history, a former state before the revisions that there are; return its temporary name."""
        if self._temporary is not None:
            remove_quietly(self._directory, self._temporary)
        lines = read_lines(self._directory, self._record.id)
        changed = changed_fields(former, self._record) if self._changed is None else tuple(self._changed)
        revision = Revision(former, self._record.updated_at, self._by, changed)
        content = _joined(_with_revision(lines, revision, self._kept))
        self._temporary = self._files.enter_context(temporary_file(self._directory, content, durable=True))
        self._basis = former, lines
        return self._temporary

    def put(self, former: Record) -> None:
        """Give the history its name; write it anew before, if it was made from something else."""
        name = history_name(self._record.id)
        if not self._kept:
            remove_quietly(self._directory, name)
            return
        temporary = self._temporary
        if temporary is None or self._basis != (former, read_lines(self._directory, self._record.id)):
            temporary = self.write(former)
        os.rename(temporary, name, src_dir_fd=self._directory, dst_dir_fd=self._directory)


def _told(by: str | None) -> str | None:
    """Cut a user's name to what a line has room for, and to what can be written: it may come from anywhere."""
    return None if by is None else by[:_MAX_NAME].encode("utf-8", errors="replace").decode("utf-8")


def _with_revision(lines: Sequence[bytes], revision: Revision, kept: int) -> list[bytes]:
    """Put a revision before the lines that there are.

    Lines of the same or of later revisions are taken out: a crash left them, or an older record was put back. They
    are the first ones. Lines that cannot be read are nobody's to throw away.
    """
    number, first = revision.record.revision, [revision.encode()]
    for position, line in enumerate(lines):
        found = read_revision(line, revision.record.id)
        if found is None:
            first.append(line)
        elif found.record.revision < number:
            return [*first, *lines[position:]][:kept]
    return first[:kept]


def rewrite(
    directory: int, record_id: str, change: Callable[[Revision], Revision], *, drop_unreadable: bool
) -> tuple[bytes | None, Rewritten]:
    """Go through a history, and return it as it is to be, with what that changes; None if that is nothing.

    Args:
        directory: The directory's descriptor.
        record_id: The data source's id.
        change: Returns a revision as it is to be.
        drop_unreadable: Take out what cannot be read; else it is left.

    Raises:
        RecordUnreadableError: The file cannot be read.
    """
    lines, changed, unreadable = [], 0, 0
    for line in read_lines(directory, record_id):
        found = read_revision(line, record_id)
        if found is None:
            unreadable += 1
            lines += [] if drop_unreadable else [line]
            continue
        new = change(found)
        changed += new != found
        lines.append(line if new == found else new.encode())
    done = Rewritten(changed, unreadable, 0) if drop_unreadable else Rewritten(changed, 0, unreadable)
    return (_joined(lines) if done.changed or done.dropped else None), done


def _joined(lines: Sequence[bytes]) -> bytes:
    return b"".join(line + b"\n" for line in lines)
