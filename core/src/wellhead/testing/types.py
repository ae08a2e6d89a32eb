"""Types whose data sources exist only in tests: one answers, one fails where it is told to, one takes its time."""

from __future__ import annotations

import asyncio
from typing import Annotated, ClassVar, Literal

from pydantic import Field

import wellhead

STEPS = ("resolve", "connect", "authenticate", "query")


class MockDataSource(wellhead.DataSourceConfig):
    """What the types for tests have in common: somewhere to go, and something to log in with."""

    host: wellhead.Host = wellhead.field("localhost", description="Where the data source would be.")
    username: str = wellhead.field("tester", description="User to log in as.", min_length=1)
    password: wellhead.Secret | None = wellhead.field(None, description="Password of the user.")


class AnsweringDataSource(MockDataSource):
    """A data source that always answers."""

    type: Literal["answering"] = "answering"


class FailingDataSource(MockDataSource):
    """A data source that fails at a chosen check."""

    type: Literal["failing"] = "failing"
    fails_at: Literal["resolve", "connect", "authenticate", "query"] = wellhead.field(
        "connect", description="The check that fails; the checks before it pass.", harmless=True
    )
    code: str = wellhead.field("connection_refused", description="The code that it fails with.", harmless=True)


class SlowDataSource(MockDataSource):
    """A data source that answers after a while, or never within the deadline."""

    type: Literal["slow"] = "slow"
    seconds: Annotated[float, Field(ge=0, le=3600)] = wellhead.field(
        30.0, description="How long the check 'connect' takes.", harmless=True
    )


class MockValidator(wellhead.Validator[MockDataSource]):
    """Go through the steps without reaching out."""

    steps: ClassVar[tuple[str, ...]] = STEPS

    async def validate(self, config: MockDataSource, context: wellhead.ValidationContext) -> None:
        """Pass every check, but for what the data source says of itself."""
        for step in STEPS:
            async with context.check(step, fields=["/host"]):
                if isinstance(config, SlowDataSource) and step == "connect":
                    await asyncio.sleep(config.seconds)
                if isinstance(config, FailingDataSource) and step == config.fails_at:
                    raise wellhead.CheckFailedError(config.code)
        context.detail("server_version", "1.0")


def data_source_types() -> list[wellhead.DataSourceType]:
    """Return the types for tests, as a plugin's hook would."""
    models: tuple[type[MockDataSource], ...] = (AnsweringDataSource, FailingDataSource, SlowDataSource)
    return [wellhead.DataSourceType(model, MockValidator) for model in models]
