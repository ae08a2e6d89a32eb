"""Single parts, made from the settings; what does not fit is an error of the settings that says which one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import EntryPoint
from pathlib import Path

from wellhead import durable
from wellhead.access.audit_file import AuditFile
from wellhead.access.audit_log import AuditLog
from wellhead.access.audit_place import AuditPlace, audit_place, log_of_service
from wellhead.access.limits import Buckets, Limited, Limits, LocalBuckets
from wellhead.access.rates import Rate
from wellhead.errors import SettingsError
from wellhead.guard.egress import EgressPolicy, EgressRuleError
from wellhead.guard.files import FileGuard
from wellhead.plugins.choice import DENY, PluginChoice
from wellhead.plugins.installed import InstalledPlugins, TypeSet
from wellhead.plugins.registry import RegisteredType
from wellhead.plugins.trial import Trials
from wellhead.secrets.key_file import FileKeys
from wellhead.secrets.key_variable import VariableKeys
from wellhead.secrets.keyring import KeyProvider
from wellhead.secrets.reference_rules import ReferenceRule
from wellhead.settings import Settings
from wellhead.storage.disk.workspace_id import WORKSPACE_FILE
from wellhead.storage.record_reading import DamagedRecordError, NewerRecordError, decode
from wellhead.storage.records import MAX_RECORD_BYTES
from wellhead.validation.pool import WorkerPool

_HISTORY = ".history.jsonl"
_MAX_HISTORY_BYTES = 64 << 20


def local_workspace(settings: Settings) -> Path:
    """Return the workspace of local mode.

    Raises:
        SettingsError: It is no directory.
    """
    try:
        workspace = settings.workspace.expanduser().absolute()
    except (OSError, RuntimeError) as error:
        raise SettingsError("The workspace is not there: its directory or the user that it names is gone.") from error
    if not workspace.is_dir():
        raise SettingsError(f"The workspace {workspace} is not a directory. Make it, or name another with --workspace.")
    return workspace


def key_provider(settings: Settings, *, may_create: Callable[[], bool], not_below: Path) -> KeyProvider:
    """Return where the key ring comes from: a file, or a variable.

    Args:
        settings: The settings.
        may_create: Asked before a first key is made in a file.
        not_below: A directory that the file may not lie in.

    Raises:
        SettingsError: Both are set.
    """
    if settings.keys is None:
        return FileKeys(settings.key_path, may_create=may_create, not_below=not_below)
    if settings.key_file is not None:
        raise SettingsError("WELLHEAD_KEYS and WELLHEAD_KEY_FILE are both set. Keep the one that holds the key ring.")
    return VariableKeys(settings.keys)


def reference_rules(settings: Settings) -> list[ReferenceRule]:
    """Return which reference may go to which hosts, in server mode.

    Raises:
        SettingsError: A rule cannot be read.
    """
    try:
        return [ReferenceRule.from_text(text) for text in settings.reference_allow]
    except ValueError as error:
        raise SettingsError(f"WELLHEAD_REFERENCE_ALLOW: {error}.") from None


def file_guard(workspace: Path, settings: Settings, forbidden: Iterable[Path]) -> FileGuard:
    """Return what opens files below a workspace and the roots of the settings.

    Raises:
        SettingsError: One of the directories cannot be opened.
    """
    try:
        return FileGuard(workspace, settings.file_roots, forbidden=forbidden)
    except OSError as error:
        raise SettingsError(f"WELLHEAD_FILE_ROOTS: {error.filename} cannot be opened as a directory.") from error


def egress_policy(settings: Settings, *, public_only: bool) -> EgressPolicy:
    """Return what may be dialled.

    Args:
        settings: The settings.
        public_only: Whether only public destinations, and those that the settings allow, are.

    Raises:
        SettingsError: A rule cannot be read.
    """
    try:
        return EgressPolicy.parse(settings.egress_allow, settings.egress_deny, public_only=public_only)
    except EgressRuleError as error:
        raise SettingsError(f"WELLHEAD_EGRESS_{error.side.upper()}: {error}") from error


def has_secrets(store: Path) -> bool:
    """Tell whether anything is encrypted in a store; what cannot be read counts as encrypted."""
    try:
        return any(_may_hold_secrets(path) for path in store.iterdir() if path.name.endswith((".json", _HISTORY)))
    except FileNotFoundError:
        return False


def _may_hold_secrets(path: Path) -> bool:
    if path.name == WORKSPACE_FILE:
        return False
    try:
        if path.name.endswith(_HISTORY):
            content, _ = durable.read_file(path, _MAX_HISTORY_BYTES)
            return b'"box"' in content or len(content) > _MAX_HISTORY_BYTES
        content, _ = durable.read_file(path, MAX_RECORD_BYTES)
        return bool(decode(content, path.name.partition(".")[0]).secrets)  # of a backup, too
    except (OSError, DamagedRecordError, NewerRecordError):
        return True


def installed_plugins(
    settings: Settings, own: Sequence[RegisteredType] = (), points: Iterable[EntryPoint] | None = None
) -> InstalledPlugins:
    """Make what loads the plugins that the settings choose."""
    choice = PluginChoice.of(settings.plugins_allow, settings.plugins_deny, settings.plugins_prefer)
    return InstalledPlugins(own, points, choice=choice, trials=Trials(settings.trials_path))


def worker_pool(settings: Settings, egress: EgressPolicy, hidden: Iterable[Path], *, texts: bool = False) -> WorkerPool:
    """Make what starts the processes that validate.

    Args:
        settings: The settings.
        egress: What they may dial.
        hidden: What they never open.
        texts: Whether they say what a plugin raised that nobody understood.
    """
    return WorkerPool(
        rules={
            "egress": egress.as_document(),
            "hidden": [str(path) for path in hidden],
            "memory": settings.validation_memory << 20,
            "texts": texts,
        },
        workers=settings.validation_workers,
        waiting=settings.validation_queue,
    )


def check_plugins(settings: Settings, types: TypeSet) -> None:
    """Look whether all plugins are ready, if the settings want that.

    Raises:
        SettingsError: One is broken, in conflict or incompatible; the message names each.
    """
    bad = [report for report in types.reports if report.is_bad]
    if bad and settings.plugins_strict:
        lines = [f"- {report.distribution} {report.version}: {report.reason} {report.remedy}" for report in bad]
        message = "Plugins that are not ready stop the start, since WELLHEAD_PLUGINS_STRICT is true:"
        raise SettingsError("\n".join([message, *lines, f"To start without one, name it in {DENY}."]))


def limits(settings: Settings) -> Limits:
    """Make what limits how often who may do what.

    Raises:
        SettingsError: Redis is set, and cannot be used; or a rate cannot be shared by so many workers.
    """
    texts: dict[Limited, str] = {
        "read": settings.limit_read,
        "write": settings.limit_write,
        "validate": settings.limit_validate,
        "login": settings.limit_logins,
    }
    rates = {name: Rate.from_text(text) for name, text in texts.items()}
    for text, rate in zip(texts.values(), rates.values(), strict=True):
        if rate is not None and settings.limits_redis is None and rate.share(settings.workers) is None:
            raise SettingsError(
                f"The limit {text} is too small for {settings.workers} workers to have a share of it each. Set a "
                "larger one, fewer workers, or WELLHEAD_LIMITS_REDIS."
            )
    return Limits(rates, _buckets(settings))


def audit_log(settings: Settings, path: Path | None = None) -> AuditLog:
    """Make what writes an audit log: that of the service if no other is named."""
    path = path or log_of_service(root=settings.root, config_dir=settings.config_dir)
    file = AuditFile(path, size=settings.audit_size << 20, kept=settings.audit_kept)
    return AuditLog(file)


def place_in_log(settings: Settings, workspace: Path) -> AuditPlace:
    """Return where what is done in a workspace is written down."""
    return audit_place(workspace, root=settings.root, config_dir=settings.config_dir)


def _buckets(settings: Settings) -> Buckets:
    local = LocalBuckets(settings.workers)
    if settings.limits_redis is None:
        return local
    try:
        from wellhead.access.redis_limits import RedisBuckets  # noqa: PLC0415  # an extra, and slow to import
    except ImportError as error:
        raise SettingsError(
            "WELLHEAD_LIMITS_REDIS is set, and redis is not installed: pip install 'wellhead[redis-limits]'"
        ) from error
    try:
        return RedisBuckets(settings.limits_redis, local)
    except ValueError:
        raise SettingsError("WELLHEAD_LIMITS_REDIS must be an address such as redis://127.0.0.1:6379/0.") from None
