"""The locks of the operating system."""

from __future__ import annotations

import subprocess
import sys


def python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True, text=True).stdout.strip()


def test_no_redis_client_is_loaded_with_it_though_one_is_installed() -> None:
    assert python("import sys, redis; print('redis' in sys.modules)") == "True"
    assert python("import sys, wellhead.cli.serve; print('redis' in sys.modules)") == "False"


def test_a_program_that_wants_the_lock_by_redis_has_it() -> None:
    code = "import wellhead.storage.disk.os_lock; {}; print(RedisLock.__module__)"
    assert python(code.format("from portalocker import RedisLock")) == "portalocker.redis"
    assert python(code.format("import portalocker; RedisLock = portalocker.RedisLock")) == "portalocker.redis"
    assert python(f"import portalocker; {code.format('from portalocker import RedisLock')}") == "portalocker.redis"
    missing = "import wellhead.storage.disk.os_lock, portalocker; print(hasattr(portalocker, 'nothing'))"
    assert python(missing) == "False"
