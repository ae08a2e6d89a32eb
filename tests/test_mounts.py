"""Which directories other machines use too."""

from pathlib import Path

import pytest

from wellhead.storage.mounts import file_system_of, is_shared

MOUNTS = """\
22 27 0:21 / /proc rw,relatime - proc proc rw
36 27 98:0 /mnt1 /mnt\\040two rw,noatime master:1 - ext4 /dev/root rw,errors=continue
41 27 0:50 / /home rw shared:3 - nfs4 server:/home rw,vers=4.2
"""


@pytest.mark.parametrize(
    ("device", "kind"), [("98:0", "ext4"), ("0:50", "nfs4"), ("0:21", "proc"), ("0:5", None), ("", None)]
)
def test_a_file_system_is_found_by_its_device(device: str, kind: str | None) -> None:
    assert file_system_of(device, MOUNTS) == kind


def test_D_42_a_directory_on_a_disk_of_this_machine_is_not_shared(tmp_path: Path) -> None:
    assert not is_shared(tmp_path)
    assert not is_shared(tmp_path / "not there")
