"""Whether a plugin was made for the interface that there is."""

import pytest

from wellhead.errors import TypeRefusedError
from wellhead.model.extension import API_VERSION
from wellhead.plugins.compatibility import check_interface
from wellhead.plugins.reports import PluginRefusedError


@pytest.mark.parametrize("required", ["1", " 1 ", "1.0", ">=1", ">=1.0,<2", "~=1.0", "==1.*", "!=1.5"])
def test_this_interface_fits(required: str) -> None:
    assert API_VERSION == "1.0"
    check_interface(required)


@pytest.mark.parametrize("required", ["2", "0", "0.9", "1.1", ">=1.1,<2", "<1", "==2.*", "9999"])
def test_another_interface_does_not_and_both_versions_are_named(required: str) -> None:
    with pytest.raises(PluginRefusedError) as refused:
        check_interface(required)
    assert refused.value.state == "incompatible"
    assert f"version {required} of the plugin interface; this Wellhead has 1.0" in refused.value.reason
    assert "pip install --upgrade wellhead" in refused.value.remedy


@pytest.mark.parametrize("required", ["", "one", "1.0.0", "v1", ">=", "1,2", "=>1", 1, 1.0, ("1",), b"1"])
def test_what_is_no_version_is_refused_with_the_rule(required: object) -> None:
    with pytest.raises(TypeRefusedError, match="requires_api is a version") as refused:
        check_interface(required)
    assert refused.value.rule == "requires-api"
