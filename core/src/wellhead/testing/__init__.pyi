"""The names of `wellhead.testing`, for type checkers: `__init__.py` imports them when they are first used."""

from wellhead.testing import certificates as certificates
from wellhead.testing import mutations as mutations
from wellhead.testing import servers as servers
from wellhead.testing.contract import DataSourceTypeContract as DataSourceTypeContract
from wellhead.testing.notices import PluginWarning as PluginWarning
from wellhead.testing.service import RunningService as RunningService
from wellhead.testing.service import running_service as running_service
from wellhead.testing.types import AnsweringDataSource as AnsweringDataSource
from wellhead.testing.types import FailingDataSource as FailingDataSource
from wellhead.testing.types import SlowDataSource as SlowDataSource
from wellhead.testing.types import data_source_types as data_source_types
from wellhead.testing.workspaces import open_workspace as open_workspace
