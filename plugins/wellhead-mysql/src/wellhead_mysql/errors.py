"""What the errors of a server mean, by their numbers, and what aiomysql raises itself.

Numbers below 2000 and above 3000 are of servers (MySQL's and MariaDB's error references), those between of clients.
"""

from __future__ import annotations

ERRORS = {
    # In place of the greeting, or of the login.
    "1040": "too_many_connections",
    "1042": "client_not_allowed",  # it finds no name for our address
    "1043": "protocol_error",  # it did not understand our answer to its greeting
    "1044": "permission_denied",
    "1045": "auth_failed",
    "1049": "database_not_found",
    "1129": "client_blocked",
    "1130": "client_not_allowed",
    "1203": "user_limit_reached",
    "1226": "user_limit_reached",  # of connections, or of queries in an hour
    "1251": "auth_method_unsupported",
    "1275": "auth_method_unsupported",  # the hash from before MySQL 4.1
    "1524": "auth_method_unsupported",  # its plugin is not loaded
    "1698": "login_not_permitted",
    "1820": "password_expired",
    "1862": "password_expired",
    "1873": "auth_failed",
    "3118": "account_locked",  # in MySQL
    "3159": "tls_required",
    "3955": "account_locked",  # after too many wrong passwords
    "4151": "account_locked",  # in MariaDB
    # Of the connection.
    "1152": "connection_lost",
    "1153": "protocol_error",  # a packet that is too large
    "1156": "protocol_error",  # packets out of order
    "1158": "connection_lost",
    "1159": "connection_lost",
    "1160": "connection_lost",
    "1161": "connection_lost",
    "1184": "connection_lost",
    "1927": "connection_lost",  # killed, in MariaDB
    "3169": "connection_lost",  # killed, in MySQL
    "4031": "connection_lost",  # it waited for too long
    # Of our statements.
    "1142": "permission_denied",
    "1143": "permission_denied",
    "1227": "permission_denied",
    "1370": "permission_denied",
    "1396": "permission_denied",  # an operation on users
    "1969": "deadline",  # MariaDB's limit of time
    "3024": "deadline",  # MySQL's
    # Of the server.
    "1021": "server_out_of_resources",  # its disk is full
    "1037": "server_out_of_resources",
    "1038": "server_out_of_resources",
    "1041": "server_out_of_resources",
    "1135": "server_out_of_resources",  # no thread is left
    "1047": "server_starting",  # a node of a cluster that is not ready
    "1053": "server_starting",
    "3032": "server_starting",  # in offline mode
    "3168": "server_starting",
    "1030": "server_fault",  # of the storage engine
    "1105": "server_fault",
    "1815": "server_fault",
    # Of clients; aiomysql and PyMySQL raise some of them.
    "2006": "connection_lost",
    "2012": "protocol_error",
    "2013": "connection_lost",
    "2014": "protocol_error",
    "2026": "tls_failed",
    "2027": "protocol_error",
    "2054": "auth_method_unsupported",
    "2058": "auth_method_unsupported",
    "2059": "auth_method_unsupported",
    "2061": "auth_method_unsupported",
    "InterfaceError": "protocol_error",
    "InternalError": "protocol_error",
    "MySQLError": "query_failed",
}

HINTS = {
    1044: "Let an administrator grant it: `GRANT SELECT ON <database>.* TO <user>;`. Check the database's name too.",
    1698: "The user may come over the server's own socket only: `ALTER USER <user> IDENTIFIED BY <password>;`.",
    3955: "Too many wrong passwords have locked the user for some days: `ALTER USER <user> ACCOUNT UNLOCK;`.",
    3032: "The server is in offline mode, which only an administrator can end: `SET GLOBAL offline_mode = OFF;`.",
}
"""What to do about some errors of a login, where that can be said more exactly than for their codes."""
