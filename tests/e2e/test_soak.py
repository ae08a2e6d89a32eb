"""A short soak of a live service: the command that `docs/how-to/benchmarks.md` describes, for less than a minute."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from support.soak.faults import FAULTS

COMMAND = Path(__file__).parents[1] / "benchmarks" / "soak.py"


@pytest.mark.slow
def test_D_54_under_load_and_faults_nothing_is_lost_and_all_processes_stay_level() -> None:
    options = ["--minutes", "0.4", "--rate", "20", "--workers", "2", "--json"]
    done = subprocess.run([sys.executable, str(COMMAND), *options], capture_output=True, text=True, check=False)
    assert done.returncode in {0, 1}, done.stderr
    found = json.loads(done.stdout)
    assert not found["examples"], "\n".join(found["examples"])
    assert found["faults"].keys() | found["skipped"].keys() == {fault.name for fault in FAULTS}
    assert found["skipped"].keys() <= {"full_disk", "read_only_store"}  # those need rights that not everybody has
    assert found["audit"]["answered_writes"] > 50
    assert found["data_sources"] > 10
