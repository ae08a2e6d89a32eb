"""What the machine says of itself."""

from pathlib import Path

import pytest

from wellhead.mounts import boot_id, file_system_of, is_shared

MOUNTS = """\
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
30 22 0:45 / /mnt/a\\040b rw shared:9 - nfs4 server:/export rw,vers=4.2
31 22 0:46 / /proc rw - proc proc rw
"""


@pytest.mark.parametrize(("device", "found"), [("254:0", "ext4"), ("0:45", "nfs4"), ("0:4", None), ("", None)])
def test_the_file_system_of_a_device_is_found(device: str, found: str | None) -> None:
    assert file_system_of(device, MOUNTS) == found


def test_this_disk_is_not_shared_and_one_that_is_not_there_is_not_either(tmp_path: Path) -> None:
    assert not is_shared(tmp_path)
    assert not is_shared(tmp_path / "none")


def test_the_start_of_the_machine_has_an_id_that_stays() -> None:
    assert boot_id() == boot_id()
