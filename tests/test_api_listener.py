"""The socket that the service listens on."""

import socket

import pytest

from wellhead.api.serving.listener import listen, url_of
from wellhead.errors import SettingsError


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.8.9.10", "::1"])
def test_the_service_listens_on_loopback(host: str) -> None:
    with listen(host, 0) as listener:
        url = url_of(listener)
        assert url.startswith("http://")
        assert url.endswith(f":{listener.getsockname()[1]}")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.1.2.3", "192.0.2.1", "::ffff:10.1.2.3"])
def test_A_02_Z_10_without_users_it_listens_nowhere_else(host: str) -> None:
    with pytest.raises(SettingsError, match=r"loopback|cannot be used"):
        listen(host, 0)


def test_for_others_it_listens_everywhere() -> None:
    with listen("0.0.0.0", 0, for_others=True) as listener:
        assert url_of(listener, scheme="https").startswith("https://0.0.0.0:")


@pytest.mark.parametrize("host", ["a..b", "", " ", "x" * 300, "\u2025", "127.0.0.1:80", "no-such-host.invalid"])
def test_an_address_that_is_none_is_refused_with_a_message(host: str) -> None:
    with pytest.raises(SettingsError):
        listen(host, 0)


def test_a_port_that_is_taken_is_named_with_a_way_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(SettingsError, match="--port 0"):
        listen("127.0.0.1", taken.getsockname()[1])


def test_answers_are_not_held_back_by_nagles_algorithm() -> None:
    with listen("127.0.0.1", 0) as listener:
        assert listener.proto == socket.IPPROTO_TCP  # asyncio sets TCP_NODELAY on the connections of such a socket only
