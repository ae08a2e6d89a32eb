"""What the exceptions of asyncpg mean. It has one for each SQLSTATE (PostgreSQL documentation, appendix A)."""

from __future__ import annotations

ERRORS = {
    # Of the login.
    "InvalidPasswordError": "auth_failed",
    "InvalidAuthorizationSpecificationError": "login_not_permitted",
    "ConnectionRejectionError": "login_not_permitted",
    "InvalidCatalogNameError": "database_not_found",
    "DatabaseDroppedError": "database_not_found",
    "ObjectNotInPrerequisiteStateError": "database_unavailable",  # a template, or closed by ALLOW_CONNECTIONS
    "InsufficientPrivilegeError": "permission_denied",
    "TooManyConnectionsError": "too_many_connections",
    "CannotConnectNowError": "server_starting",
    "AdminShutdownError": "server_starting",
    "CrashShutdownError": "server_starting",
    # Of the connection.
    "ProtocolViolationError": "protocol_error",
    "FeatureNotSupportedError": "protocol_error",  # the version of the protocol; our statements need none
    "PostgresConnectionError": "connection_lost",
    "IdleInTransactionSessionTimeoutError": "connection_lost",
    "IdleSessionTimeoutError": "connection_lost",
    # Of our statements.
    "QueryCanceledError": "deadline",
    "TransactionTimeoutError": "deadline",
    # Of the server.
    "InsufficientResourcesError": "server_out_of_resources",
    "ProgramLimitExceededError": "server_out_of_resources",
    "PostgresSystemError": "server_fault",
    "InternalServerError": "server_fault",
    "ConfigFileError": "server_fault",
    "LockNotAvailableError": "query_failed",
    "PostgresError": "query_failed",
    # Of asyncpg itself, which does not understand the server.
    "InterfaceError": "protocol_error",
    "InternalClientError": "protocol_error",
}
"""Names of exception classes to codes; a class that is not here counts as its base does."""
