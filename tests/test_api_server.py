"""How the server is set up: what it believes of a proxy, and when it speaks HTTPS."""

import pytest

from wellhead.api.live import LiveApp
from wellhead.api.serving import server
from wellhead.assembled import Wellhead
from wellhead.assembly import assemble
from wellhead.errors import SettingsError
from wellhead.settings import Settings, load_settings


def config_of(wellhead: Wellhead) -> server.uvicorn.Config:
    return server.make(LiveApp(wellhead), announce=lambda: None).config


def test_A_17_nobody_is_believed_who_the_client_is(wellhead_parts: Wellhead) -> None:
    assert config_of(wellhead_parts).proxy_headers is False


def test_A_17_behind_a_proxy_only_the_proxies_of_the_settings_are(settings: Settings) -> None:
    wellhead = assemble(settings.model_copy(update={"behind_proxy": True, "trusted_proxies": ("10.0.0.0/8",)}))
    config = config_of(wellhead)
    assert config.proxy_headers is True
    assert config.forwarded_allow_ips == ["10.0.0.0/8"]
    wellhead.close()


def test_A_17_a_proxy_on_this_machine_is_the_only_one_that_is_trusted_unasked(settings: Settings) -> None:
    assert settings.trusted_proxies == ("127.0.0.1", "::1")


@pytest.mark.parametrize("proxy", ["*", "proxy.example.com", "10.0.0.1/8", "10.0.0.0/40"])
def test_what_is_no_network_is_no_trusted_proxy(monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    monkeypatch.setenv("WELLHEAD_TRUSTED_PROXIES", proxy)
    with pytest.raises(SettingsError, match="WELLHEAD_TRUSTED_PROXIES"):
        load_settings()
