"""The catalogue of codes: what each one means, why it happens and what to do.

The pages under `/problems/<code>`, the hints of failed checks and the reference in the docs are made from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["request", "input", "conflict", "service", "check", "plugin", "finding"]


@dataclass(frozen=True, slots=True)
class Code:
    """One entry of the catalogue.

    Attributes:
        kind: Where the code appears: as a problem of a `request`, of its `input`, as a `conflict` with what is
            stored, as a failure of the `service`, as the outcome of a `check`, of a `plugin`, or as a
            `finding` of `wellhead doctor`.
        title: What it means, in one sentence.
        cause: Why it usually happens.
        remedy: What to do about it.
    """

    kind: Kind
    title: str
    cause: str
    remedy: str


def _table(kind: Kind, rows: dict[str, tuple[str, str, str]]) -> dict[str, Code]:
    return {name: Code(kind, *texts) for name, texts in rows.items()}


_REQUEST = _table(
    "request",
    {
        "unauthorized": (
            "A valid token is needed.",
            "The request has no `Authorization: Bearer` header, or its token is not the service's, or has ended.",
            "Send the token that `wellhead serve` printed, or that an administrator of the service has issued for you.",
        ),
        "forbidden": (
            "Your role does not permit this.",
            "A `viewer` reads; an `editor` changes and validates too; some things are for an `admin` only.",
            "Ask an administrator of the service to do it, or for a token with another role.",
        ),
        "not_found": (
            "There is no such thing here.",
            "The path or the id is wrong, or the data source was deleted.",
            "List the data sources, or see `/openapi.json` for the paths.",
        ),
        "method_not_allowed": (
            "This path does not know this method.",
            "The method is not one of those in the `Allow` header.",
            "Use a method that the `Allow` header names.",
        ),
        "host_not_allowed": (
            "The service does not answer under this host name.",
            "The `Host` header names a host that is not in the settings; web pages that attack local services do that.",
            "Use the address that was printed at start, or add the host to `WELLHEAD_ALLOWED_HOSTS`.",
        ),
        "malformed_request": (
            "The head of the request cannot be used.",
            "It has both `Content-Length` and `Transfer-Encoding`, or more than 100 headers or 16 KiB of them.",
            "Send one of the two, and fewer headers.",
        ),
        "unsupported_media_type": (
            "The body is not of a type that is accepted here.",
            "The `Content-Type` header is missing, or is not JSON in UTF-8.",
            "Send `Content-Type: application/json`; for PATCH, `application/merge-patch+json` works too.",
        ),
        "body_too_large": (
            "The body is too large.",
            "A body may have at most 256 KiB.",
            "Send less: a data source has at most 64 KiB.",
        ),
        "body_timeout": (
            "The body took too long to come.",
            "The connection is slow or broken, or fewer bytes were sent than `Content-Length` says.",
            "Send the request again, on a new connection.",
        ),
        "client_gone": (
            "The client went away before the answer.",
            "It closed the connection while a validation ran, which was ended then; nothing was saved.",
            "Only the logs have it, with status 499. Give the client more time, or ask for a shorter `timeout`.",
        ),
        "rate_limited": (
            "Too many requests.",
            "There is a limit for each user and kind of action, and for each address that sends no valid token.",
            "Wait for as many seconds as the `Retry-After` header says.",
        ),
        "query_too_long": (
            "The query is too long.",
            "The part of the address behind `?` may have at most 2 KiB.",
            "Use fewer or shorter filters.",
        ),
        "revision_mismatch": (
            "The data source was changed in between.",
            "The revision in `If-Match`, or the one in the body, is not the one that is stored.",
            "Read the data source again and repeat the change on that.",
        ),
        "precondition_required": (
            "The request does not say which revision it is for.",
            "The settings of this service require `If-Match` of every change, so that no change of others is lost.",
            "Send the `ETag` that reading the data source returned as `If-Match`.",
        ),
    },
)

_INPUT = _table(
    "input",
    {
        "invalid": (
            "What was sent does not fit.",
            "Several things are wrong with it; each is listed in `errors`.",
            "Mend each item of `errors` and send it again.",
        ),
        "malformed_json": ("The text is not JSON.", "It has a syntax error.", "Mend the syntax."),
        "invalid_unicode": (
            "The text is not valid Unicode.",
            "It is not UTF-8, or an escape stands for half a character.",
            "Send UTF-8.",
        ),
        "duplicate_key": (
            "An object has the same key twice.",
            "Programs disagree about which of the two counts.",
            "Leave one of them out.",
        ),
        "absurd_number": (
            "A number cannot be held.",
            "It is NaN, infinite, or has hundreds of digits.",
            "Send an ordinary number.",
        ),
        "nested_too_deep": ("The document is nested too deep.", "It has more than 32 levels.", "Use fewer levels."),
        "required": (
            "A field is missing.",
            "The type, or another field's value, makes this field necessary.",
            "Send the field.",
        ),
        "unknown_field": (
            "The type has no field of this name.",
            "The name is misspelt, or belongs to another type.",
            "Use the name that the hint offers, or see the type's fields with `wellhead types`.",
        ),
        "not_applicable": (
            "The field does not go with another field's value.",
            "For example a `token` where `auth_type` is not `bearer`.",
            "Leave the field out, or send null to clear it.",
        ),
        "wrong_type": ("The value has the wrong JSON type.", "For example a string for a number.", "See the message."),
        "not_allowed": ("The value is not one of those allowed.", "It is misspelt or not offered.", "Use one of them."),
        "out_of_range": ("The number is out of range.", "It is too small or too large.", "See the message."),
        "too_short": ("The value is too short.", "A minimum length applies.", "See the message."),
        "too_long": ("The value is too long.", "A maximum length applies.", "See the message."),
        "too_many": ("There are too many items.", "A maximum number applies.", "Send fewer."),
        "bad_format": ("The value does not have the form that is needed.", "A pattern applies.", "See the message."),
        "value_error": (
            "The value breaks a rule of the type.",
            "The plugin's own check refused it.",
            "See the description of the field and the plugin's documentation.",
        ),
        "control_character": (
            "The text has a control character.",
            "Control characters can change what a driver sends; often one came along while copying.",
            "Type the value anew.",
        ),
        "name_syntax": (
            "The name cannot be used.",
            "A name has 1 to 100 visible characters, with no spaces at its ends.",
            "Use 1 to 100 visible characters, with no spaces at the ends, no line breaks and no invisible characters.",
        ),
        "label_syntax": (
            "The label's key cannot be used.",
            "A key has 1 to 63 characters: letters, digits, and . _ / - among them.",
            "Choose another key.",
        ),
        "host_syntax": (
            "This is not a host name or an IP address.",
            "It has a scheme, a port, a path, spaces, or is an address in an unusual spelling.",
            "Send only the name, such as db.example.com, or an address such as 192.0.2.7 or 2001:db8::7.",
        ),
        "url_syntax": (
            "This is not a plain http or https address.",
            "It has another scheme, no host, or characters that programs read differently.",
            "Send an address such as https://api.example.com/v1.",
        ),
        "credentials_in_url": (
            "The address holds a user name, a password or a key.",
            "An address is shown to everyone who may read the data source.",
            "Take it out, and send it in the fields for logging in.",
        ),
        "path_syntax": (
            "This path cannot be used.",
            "It leaves the directory, is hidden, or is not a plain path.",
            "Send a path relative to the workspace, such as data/sales.csv.",
        ),
        "header_name": (
            "This is not a header name that can be set.",
            "It has characters that are not allowed (RFC 9110), or it controls the connection itself.",
            "Choose another name.",
        ),
        "header_value": (
            "This header value cannot be sent.",
            "It has characters other than visible ASCII and inner spaces.",
            "Encode the value, for example with Base64.",
        ),
        "header_repeated": (
            "A header is set more than once.",
            "It is among `headers` and `secret_headers`, in two spellings, or is the one that carries the login.",
            "Keep one of them.",
        ),
        "secret_header": (
            "A header that usually holds a secret is among the plain headers.",
            "Plain headers are shown to everyone who may read the data source.",
            "Move it to `secret_headers`, or use `auth_type`.",
        ),
        "pem_syntax": (
            "This is not a PEM text of the kind that is needed.",
            "The BEGIN and END lines are missing or name something else.",
            "Send the whole text, from -----BEGIN to the end of the END line.",
        ),
        "pem_encrypted": (
            "The private key is encrypted.",
            "A key with a passphrase cannot be used.",
            "Decrypt it first: openssl pkey -in key.pem -out plain.pem",
        ),
        "unknown_encoding": (
            "No text encoding has this name.",
            "It is misspelt or not supported.",
            "Use a name such as utf-8, utf-16, iso-8859-1 or windows-1252.",
        ),
        "connection_string": (
            "The connection string cannot be taken apart.",
            "It does not have the form scheme://user:password@host:port/database?option=value.",
            "Mend it, or send the fields one by one. Special characters in a password are percent-encoded.",
        ),
        "connection_string_conflict": (
            "A field disagrees with the connection string.",
            "Both were sent, with different values.",
            "Leave one of the two out.",
        ),
        "secret_empty": ("A secret may not be empty.", "An empty text was sent.", "Send null to clear a secret."),
        "secret_form": (
            "A secret has none of the forms that are accepted.",
            "A secret is a text, a reference, null, or exactly the object that a read returned.",
            'Send the value as a text, or {"ref": "env:NAME"}.',
        ),
        "reference_syntax": (
            "The reference cannot be used.",
            "A reference begins with env: or file:, and the settings say which are allowed.",
            "See WELLHEAD_REFERENCE_ENV and WELLHEAD_REFERENCE_DIRS.",
        ),
        "secret_required": (
            "The secret must be sent again.",
            "A field that says where the secret goes was changed, or nothing is stored that could be kept.",
            "Send the secret's value, a reference, or null together with the change.",
        ),
        "secret_state_changed": (
            "The secret was changed since it was read.",
            "The object differs from what is stored.",
            "Read the data source again; to keep the secret, leave the field out.",
        ),
        "immutable": ("The field cannot be changed.", "It is fixed when the data source is made.", "Leave it out."),
        "unknown_type": (
            "No installed plugin provides this type.",
            "The name is misspelt, or the plugin is not installed or does not work.",
            "See `wellhead types`; install the plugin that provides it.",
        ),
        "unknown_parameter": ("There is no such parameter.", "Its name is misspelt.", "Use one of those allowed."),
        "repeated_parameter": ("The parameter was given twice.", "It takes one value.", "Give it once."),
        "bad_cursor": (
            "The cursor does not belong to this list.",
            "The filter, the order, the user or the workspace changed; or it was edited, or is older than an upgrade.",
            "Start again from the first page, without a cursor.",
        ),
        "revision_not_kept": (
            "This revision is not in the history.",
            "It never was, or is older than those that are kept: see `WELLHEAD_HISTORY`.",
            "Choose one of those that the history lists.",
        ),
        "validation_failed": (
            "Nothing was saved, because the validation did not pass.",
            "The request asked to save only what works.",
            "See `result` for the check that failed and its hint.",
        ),
        "record_too_large": (
            "The data source is too large.",
            "A record may have at most 64 KiB.",
            "Shorten the longest fields.",
        ),
    },
)

_CONFLICT = _table(
    "conflict",
    {
        "conflict": ("What is stored does not allow it.", "See the message.", "See the message."),
        "name_taken": (
            "Another data source has this name.",
            "Names are unique in a workspace, whatever their case.",
            "Choose another name.",
        ),
        "quota_exceeded": (
            "The workspace has as many data sources as it may have.",
            "A quota holds for each workspace; those that cannot be read count too.",
            "Remove data sources that nobody needs, or have whoever runs the service raise `WELLHEAD_QUOTA`.",
        ),
        "type_unavailable": (
            "The plugin that provides this type is not there.",
            "It was removed, or it does not work.",
            "Install or mend it: see `wellhead types`.",
        ),
        "record_corrupt": (
            "The stored record is damaged.",
            "The file was cut off, edited or written over.",
            "Restore the file from a backup, or delete the data source with `?force=true`.",
        ),
        "record_unreadable": (
            "The stored record cannot be opened.",
            "The file's owner or permissions were changed, or the disk has an error.",
            "Give the file back to the user who runs Wellhead, with mode 0600.",
        ),
        "invalid_record": (
            "The stored record does not fit its type.",
            "The file was edited, or a newer plugin has stricter rules, or no migration that works.",
            "Change the fields that do not fit; see `wellhead doctor`.",
        ),
        "newer_format": (
            "A newer version wrote this record, of Wellhead or of the type's plugin.",
            "Wellhead, or the plugin, was put back to an older version.",
            "Install the newer version again.",
        ),
        "key_in_use": (
            "A key cannot be taken away.",
            "A record is sealed with it, or it is the primary key.",
            "Seal everything anew first: wellhead keys rotate.",
        ),
        "secrets_purged": (
            "The secrets of this former revision are gone.",
            "They were taken out of the history: `wellhead history NAME --purge-secrets`.",
            "Change the data source instead, and send the secrets anew.",
        ),
    },
)

_SERVICE = _table(
    "service",
    {
        "internal_error": (
            "Something went wrong inside the service.",
            "A defect of Wellhead.",
            "Look for the request id in the log, and report it.",
        ),
        "settings_invalid": ("The settings do not allow a start.", "See the message.", "See the message."),
        "key_unavailable": (
            "The key ring cannot be used.",
            "The key file is missing, damaged, or others may read it.",
            "Restore the key file, or set WELLHEAD_KEY_FILE to where it is.",
        ),
        "storage_io_error": (
            "The disk reported an error.",
            "The device or the file system has a fault.",
            "Nothing was changed. Look at the system's log, then try again.",
        ),
        "reload_unfinished": (
            "Not every process of the service could look for plugins.",
            "A process is busy, or was just started again; the log of the service says more.",
            "Send the request again; if it stays, restart the service.",
        ),
        "audit_unavailable": (
            "The audit log cannot be used.",
            "The disk is full, or the file belongs to someone else.",
            "Make room, or make `audit.jsonl` writable for the user who runs Wellhead.",
        ),
        "store_busy": (
            "Another process holds the store's lock.",
            "A process that is stopped, or a disk that hangs.",
            "Try again; if it stays, look for stopped wellhead processes.",
        ),
        "store_read_only": (
            "The store cannot be written.",
            "The file system is mounted read-only, or the directory belongs to someone else.",
            "Make the directory writable for the user who runs Wellhead.",
        ),
        "store_unavailable": (
            "The store's directory cannot be used.",
            "It was moved or deleted while the service ran.",
            "Put it back; nothing is made anew in its place.",
        ),
        "validation_busy": (
            "Too many validations run and wait already.",
            "Many were asked for at once, or many targets do not answer.",
            "Try again in a few seconds; WELLHEAD_VALIDATION_WORKERS sets how many run at once.",
        ),
        "insufficient_storage": (
            "The disk is full.",
            "No space, inodes or quota are left.",
            "Nothing was changed. Free some space; deleting data sources works.",
        ),
        "durability_unknown": (
            "The change is made, but may not survive a power cut.",
            "The disk failed to confirm it.",
            "Send the same change again.",
        ),
    },
)

_CHECK = _table(
    "check",
    {
        "secret_unavailable": (
            "A stored secret cannot be used.",
            "The key is missing, the record was edited, or a reference does not resolve.",
            "Send the secret anew, or restore the key or what the reference points to.",
        ),
        "host_not_found": (
            "The host name is not known.",
            "It is misspelt, or only known inside another network.",
            "Check the spelling of the host, and that this machine can resolve it.",
        ),
        "dns_failed": (
            "The name servers did not answer.",
            "The network or its name service has a fault.",
            "Try again; check this machine's name service.",
        ),
        "destination_rejected": (
            "The service does not connect to this address.",
            (
                "It is the metadata service of a cloud, or link-local, which is always refused; or "
                "`WELLHEAD_EGRESS_DENY` lists it; or it is not public, and a service for several users dials that only "
                "if `WELLHEAD_EGRESS_ALLOW` lists it."
            ),
            (
                "Use the address of the data source itself. If this is it, ask whoever runs the service: "
                "`WELLHEAD_EGRESS_ALLOW` and `WELLHEAD_EGRESS_DENY` decide."
            ),
        ),
        "connection_failed": (
            "No connection could be made.",
            "The port is closed or filtered, or the host is down; a service for several users does not say which.",
            "Check host and port, that the server runs, and the firewalls on the way.",
        ),
        "connection_refused": (
            "Nothing listens on this port.",
            "The port is wrong, the server is not running, or it listens on another interface.",
            "Check the port, and that the server runs and accepts connections from here.",
        ),
        "connection_timeout": (
            "The server did not answer in time.",
            "A firewall drops the packets, or the address is wrong.",
            "Check the host, and that a firewall allows this machine.",
        ),
        "network_unreachable": (
            "There is no way to this address.",
            "The network is down, the address is not reachable from here, or a firewall says so.",
            "Check the address, this machine's network and the firewalls between.",
        ),
        "connection_forbidden": (
            "This machine lets no connection out to this address.",
            "A firewall of its own, or of the container that the service runs in, forbids it.",
            "Allow it in the rules of this machine (iptables, nftables, SELinux, the container's network policy).",
        ),
        "resources_exhausted": (
            "The check ran out of memory or of open files.",
            "This machine is short of them, the limits of the service are low, or the answer is far too large.",
            "Try again when fewer checks run; else raise the service's limits (ulimit, memory of its container).",
        ),
        "connection_lost": (
            "The server closed the connection.",
            "It refuses this machine, was restarted, or does not speak this protocol.",
            "Check that host and port belong to a server of this type, and the server's log.",
        ),
        "wrong_service": (
            "Another service answers on this port.",
            "The port or the address is that of another service, or the data source is of another type.",
            "Is the type right? Is the port right? A data source keeps its type: for another type, add another one.",
        ),
        "tls_not_offered": (
            "The server offers no TLS.",
            "It is not configured for TLS, so the password would travel in clear text.",
            "Turn TLS on at the server; set `tls_mode` to `disable` only on a network that you trust.",
        ),
        "tls_required": (
            "The server wants TLS.",
            "It offers TLS, and lets this user not in without it.",
            "Set `tls_mode` to `verify-full`. If the user is still not let in then, the server's access rules are why.",
        ),
        "tls_failed": (
            "The TLS handshake failed.",
            "The two sides have no cipher in common, the port does not speak TLS, or the server misses a certificate.",
            "Check the port, and the server's TLS settings and its log.",
        ),
        "tls_version_unsupported": (
            "The server speaks only versions of TLS that are too old.",
            "It was not updated for years, or is configured for old clients. TLS 1.2 is the oldest that is accepted.",
            "Turn on TLS 1.2 or 1.3 at the server.",
        ),
        "tls_name_unknown": (
            "The server has no certificate for this host name.",
            "It serves several names, and this one is not among them; an address is no name.",
            "Use a host name that the server is set up for.",
        ),
        "tls_disabled": (
            "The connection is not encrypted.",
            "`tls_mode` is `disable`.",
            "Use `verify-full` wherever the server offers TLS.",
        ),
        "tls_unverified": (
            "The connection is encrypted, but it is not checked who answers.",
            "`tls_mode` is `require`, which accepts any certificate, or `verify-ca`, which accepts any name.",
            "Use `verify-full`, with the server's CA in `ca_certificate` if it is a private one.",
        ),
        "certificate_untrusted": (
            "The server's certificate is not signed by a trusted authority.",
            "It is signed by a private authority, or the server does not send the certificates in between.",
            "Put the authority's certificate (PEM) into `ca_certificate`.",
        ),
        "certificate_self_signed": (
            "The server's certificate is signed by nobody but itself.",
            "The server made it when it was installed, or somebody made it for a test.",
            "Give the server a certificate of an authority, or put this one (PEM) into `ca_certificate`.",
        ),
        "certificate_revoked": (
            "The server's certificate was revoked.",
            "Its authority has withdrawn it, often because its key was stolen.",
            "Do not use the server before its administrator has given it a new one.",
        ),
        "certificate_unsuitable": (
            "The server's certificate, or that of its authority, is not fit for a server.",
            "Its key or its signature is too weak, it was made for another purpose, or its authority may not sign it.",
            "Make a new one, for a server, with a key of at least 2048 bits (RSA) or 256 bits (EC) and SHA-256.",
        ),
        "certificate_expired": (
            "The server's certificate has expired.",
            "It was not renewed, or was and the server still shows the old one; or the clock of this machine is ahead.",
            "Renew the certificate, and let the server load it; check the clock.",
        ),
        "certificate_not_yet_valid": (
            "The server's certificate is not valid yet.",
            "The clock of this machine is behind, or the certificate was made for later.",
            "Check the clock of this machine, and from when on the certificate is valid.",
        ),
        "certificate_expires_soon": (
            "The server's certificate expires soon.",
            "It is valid for 30 days or less.",
            "Renew it at the server; nothing has to be changed here, unless its authority changes.",
        ),
        "certificate_name_mismatch": (
            "The server's certificate is for another name.",
            "The host is an address or an alias that the certificate does not list.",
            "Use a host name that the certificate lists; for a database whose name cannot match, `verify-ca`.",
        ),
        "client_certificate_invalid": (
            "The client certificate or its key cannot be used.",
            "They do not belong together, one is damaged, or the server does not trust the certificate.",
            "Send a certificate that the server trusts, and the private key that it was made for.",
        ),
        "client_certificate_required": (
            "The server wants a client certificate.",
            "It lets nobody in who shows none.",
            "Set `client_certificate` and `client_key`; a type that has no such fields cannot log in at this server.",
        ),
        "auth_failed": (
            "The server refused the user name or the password.",
            "One of them is wrong, or the user may not log in from here.",
            "Check both; copy the password anew. Try them with the server's own client from this machine.",
        ),
        "password_expired": (
            "The password has expired.",
            "The server wants a new one before it lets the user work.",
            "Change it at the server (ALTER USER), then set the new `password`.",
        ),
        "login_not_permitted": (
            "The server lets this user not in from here.",
            "There is no such user, or the server's rules (pg_hba.conf, the user's host) have no entry for it.",
            "Check the user name; add an entry for this user, database and address. It may be for TLS only.",
        ),
        "account_locked": (
            "The user is locked.",
            "An administrator has locked it, or the server did after too many wrong passwords.",
            "Let an administrator unlock it: `ALTER USER <user> ACCOUNT UNLOCK`.",
        ),
        "client_not_allowed": (
            "The server lets nobody in from this machine.",
            "No user of the server may come from this machine's address, whatever the password is.",
            "Let an administrator make a user for this address: `CREATE USER <user>@<address of this machine>`.",
        ),
        "client_blocked": (
            "The server has blocked this machine.",
            "Too many connections from it have failed in a row.",
            "Let an administrator run `FLUSH HOSTS`, and find out which program here connects and gives up.",
        ),
        "cleartext_password_refused": (
            "The server asked for the password in clear text.",
            "It is configured so, or it is not the server that it seems to be.",
            "Use `tls_mode` `verify-full`, or a better method at the server, such as scram-sha-256.",
        ),
        "auth_method_unsupported": (
            "The server asks for a way of logging in that is not supported.",
            "It is configured for Kerberos, LDAP forwarding or the like.",
            "Use a user that logs in with a password or a certificate.",
        ),
        "password_missing": (
            "The server asks for a password and none is set.",
            "The data source has no password.",
            "Set `password`.",
        ),
        "database_not_found": (
            "The server has no database of this name.",
            "The name is misspelt; upper and lower case differ.",
            "Check the database's name.",
        ),
        "database_unavailable": (
            "The database takes no connections.",
            "It is a template, is being restored or moved, or an administrator has closed it.",
            "Use another database, or let an administrator open it.",
        ),
        "permission_denied": (
            "The user may not do this.",
            "A permission is missing.",
            "Let an administrator grant the user the permission to connect and to read.",
        ),
        "nothing_readable": (
            "The user can log in but can read nothing.",
            "No table or view may be read by this user.",
            "Let an administrator grant it, for example: `GRANT SELECT ON <table> TO <user>`.",
        ),
        "too_many_connections": (
            "The server has no connection left.",
            "Other programs use all of them, or all that this user or this database may have.",
            "Try again later, close connections that nobody needs, or raise the server's limit.",
        ),
        "user_limit_reached": (
            "The user has reached a limit of its own.",
            "The server counts the connections and the queries of each user, and this one may have no more just now.",
            "Try again in an hour, close other connections of the user, or raise its limits (ALTER USER … WITH MAX_…).",
        ),
        "server_out_of_resources": (
            "The server has no memory, disk or threads left.",
            "It is overloaded, or its disk is full.",
            "Try again later; look at the server's log and its disks.",
        ),
        "server_fault": (
            "The server has a fault.",
            "It reports an error of its own: a damaged file, a wrong configuration, or a defect.",
            "Look at the server's log.",
        ),
        "server_starting": (
            "The server is starting up or shutting down.",
            "It was restarted, is recovering, or was taken out of service for a while.",
            "Try again in a moment.",
        ),
        "query_failed": (
            "A simple query failed.",
            "The server answered with an error.",
            "Look at the server's log.",
        ),
        "protocol_error": (
            "The answer could not be understood.",
            "The server speaks another protocol, or its answer is damaged.",
            "Check that the host and the port belong to a server of this type.",
        ),
        "secrets_unencrypted": (
            "The login travels unencrypted.",
            "The address begins with `http:`, so that everybody on the way can read the login and the secret headers.",
            "Use the address that begins with `https:`.",
        ),
        "redirected": (
            "The server answered with a redirect, which is not followed.",
            "The address has moved, wants `https:`, or leads to a page for logging in.",
            "Set the address that it redirects to: `curl -I` shows it.",
        ),
        "unexpected_status": (
            "The server answered with another status than expected.",
            "The path is wrong, the request is not accepted, or the server has a fault.",
            "Check `url` and `health_path`; if the status is the right one, set `expected_status` to it.",
        ),
        "not_json": (
            "The answer is not JSON.",
            "The address leads to a web page or a proxy, or the answer is not what its content type says.",
            "Check that `url` and `health_path` lead to the API itself.",
        ),
        "web_page": (
            "The answer is a web page.",
            "Many servers answer every path with a page of theirs, whether it exists or not.",
            "Check that `url` and `health_path` lead to the API itself; `expected_json` makes sure of it.",
        ),
        "response_too_large": (
            "The answer is larger than what is read of it, one megabyte.",
            "The path answers with all its data, or without end.",
            "Set `health_path` to a path with a short answer, or `method` to `HEAD`.",
        ),
        "response_compressed": (
            "The answer is compressed, so that it was not looked at.",
            "The server compresses although it was asked not to.",
            "Nothing needs to be done; for a full check, set `health_path` to a path whose answer is not compressed.",
        ),
        "token_unusable": (
            "The token server's answer has no token that can be used.",
            "It is no OAuth 2.0 token address, or it gives out tokens of another kind than bearer.",
            "Check `token_url`.",
        ),
        "file_unavailable": (
            "There is no file that can be read at this path.",
            "It is missing, outside the allowed directories, hidden, a link, no ordinary file, or may not be read.",
            "Check the path: below the workspace, or absolute below `WELLHEAD_FILE_ROOTS`; links are not followed.",
        ),
        "file_unreadable": (
            "The file cannot be read.",
            "The disk or the file server reported an error, or the service has too many files open.",
            "Check the disk or the mount, and try again.",
        ),
        "file_empty": ("The file is empty.", "It has no content yet.", "Check that the file was written."),
        "encoding_mismatch": (
            "The file is not in the encoding that is set.",
            "It has bytes that this encoding does not know.",
            "Set `encoding` to what the file was written with, often utf-8, windows-1252 or utf-16.",
        ),
        "encoding_doubtful": (
            "The file can be read in the encoding that is set, but probably with wrong letters.",
            "This encoding takes any bytes, and these make sense in another one.",
            "Look at the names of the columns, and set `encoding` to what the file was written with.",
        ),
        "format_mismatch": (
            "The file is in another format than its type reads.",
            "It was given a wrong name, or the download was answered by a web page.",
            "Check the path, and export the data as CSV or JSON Lines.",
        ),
        "not_csv": (
            "The file cannot be read as CSV.",
            "It is binary, or a quotation mark is never closed.",
            "Check the path, `quote_character` and `delimiter`.",
        ),
        "delimiter_mismatch": (
            "The rows have one column only.",
            "The file probably uses another delimiter.",
            "Set `delimiter` to the character that separates the columns.",
        ),
        "ragged_rows": (
            "The rows have different numbers of columns.",
            "A row is damaged, or a value with the delimiter in it is not quoted.",
            "Check the row, `delimiter` and `quote_character`.",
        ),
        "duplicate_columns": (
            "Two columns have the same name, or one has none.",
            "The header row is incomplete, or the file has no header.",
            "Mend the header row, or set `has_header` to false.",
        ),
        "no_rows": ("The file has a header but no rows.", "It was just begun.", "Check that the file was written."),
        "compression_mismatch": (
            "The file is not compressed in the way that is set.",
            "It is compressed and `compression` says that it is not, or the other way round.",
            "Set `compression` to what the file was written with.",
        ),
        "archive_damaged": (
            "The compressed file is damaged.",
            "It was cut off while it was copied, or is still being written.",
            "Copy the file anew; `gzip -t` tells whether it is whole.",
        ),
        "compression_ratio": (
            "The file unpacks to far more than data usually does.",
            "It says the same thing over and over, or was made to exhaust whoever unpacks it.",
            "If you trust the file, unpack it and set `compression` to none.",
        ),
        "compression_nested": (
            "There is another archive inside the compressed file.",
            "It was compressed twice, or is an archive of several files, such as tar.",
            "Unpack the inner archive first.",
        ),
        "file_not_json": (
            "The file cannot be read as JSON.",
            "It has a syntax error, was cut off, or is in another format.",
            "Mend the place that is named; check the path and `format`.",
        ),
        "json_not_portable": (
            "The file has JSON that many programs cannot read.",
            "A number is too large, an escape stands for half a character, or it is nested too deep.",
            "Write large numbers as texts, characters as UTF-8, and fewer levels.",
        ),
        "pointer_not_found": (
            "There is no array of records at the place that is set.",
            "The document has another structure, or a name in the pointer is misspelt.",
            "Set `records_pointer` to the array, such as /items; leave it empty if the document is the array.",
        ),
        "file_not_read_whole": (
            "The document is too large to be read as a whole for a check.",
            "More than eight megabytes are not parsed; only its beginning was looked at.",
            "Nothing needs to be done; for a full check, write the records as JSON Lines.",
        ),
        "records_not_objects": (
            "Some records are not objects.",
            "The array has lists or plain values, which have no names for their columns.",
            "Check `records_pointer`.",
        ),
        "duplicate_keys": (
            "An object in the file has the same key twice.",
            "Programs disagree about which of the two counts.",
            "Mend the program that writes the file.",
        ),
        "no_records": ("The file has no records.", "It was just begun.", "Check that the file was written."),
        "deadline": (
            "The time was over before this step ended.",
            "The target is slow or does not answer.",
            "Try again with a longer time-out; check that the target is of this type, and not overloaded.",
        ),
        "file_too_large": (
            "More of the file was read than may be read for a check.",
            "A line or a value is extremely long.",
            "Check that the file has the format that is set.",
        ),
        "not_reached": ("The step was not tried.", "An earlier step failed.", "Mend the earlier step first."),
        "check_failed": (
            "The check failed.",
            "The plugin gives no reason with this code.",
            "See the plugin's documentation.",
        ),
        "plugin_error": (
            "The plugin failed.",
            "A defect of the plugin.",
            "Report it to the plugin's author, with the versions from `wellhead types`.",
        ),
        "plugin_crashed": (
            "The process that ran the plugin has ended.",
            "The plugin or its driver crashed, wanted to exit, or took more memory or processor time than it may.",
            "Report it to the plugin's author, with the versions from `wellhead types`.",
        ),
        "plugin_blocked": (
            "The plugin held up the process that it shared with other validations.",
            "The plugin, or its driver, blocks the event loop.",
            "Validate the data source by itself, and report it to the plugin's author.",
        ),
        "operation_forbidden": (
            "The plugin tried what a validation may not do.",
            "It started a process, opened or wrote a file by itself, or spoke something else than TCP.",
            "Report it to the plugin's author: files and connections come from the validation's context.",
        ),
        "worker_unavailable": (
            "No process could be started for the validation.",
            "The machine is out of memory or processes, or the process that starts them was killed.",
            "Try again; look at the service's log.",
        ),
    },
)

_PLUGIN = _table(
    "plugin",
    {
        "type_refused": (
            "A plugin's type breaks a rule of the registry.",
            "A defect of the plugin, or of the call that registers the type.",
            "Mend what the message names.",
        ),
    },
)

_FINDING = _table(
    "finding",
    {
        "store_not_a_directory": (
            "The store is a link or a file.",
            "Somebody moved it elsewhere and left a link.",
            "Move the directory itself to its place in the workspace.",
        ),
        "store_of_another_user": (
            "The store belongs to another user.",
            "It was copied or unpacked by somebody else.",
            "Give it to the user who runs Wellhead, with all that is in it: chown -R.",
        ),
        "store_writable_by_others": (
            "Others may write to the store.",
            "It was copied, or made with a lax umask.",
            "Run `wellhead doctor --repair`, or chmod 700. Look the data sources over: others could change them.",
        ),
        "store_readable_by_others": (
            "Others may read the store.",
            "It was copied, or its mode was changed.",
            "Run `wellhead doctor --repair`, or chmod 700. Secrets are encrypted, all else is not.",
        ),
        "store_on_network": (
            "The store lies on a file system that other machines use too.",
            "The workspace is on NFS, SMB or the like, where locks and durability depend on the server.",
            "Keep the workspace on a disk of this machine.",
        ),
        "disk_nearly_full": (
            "The disk of the store is nearly full.",
            "Little space is left, or few inodes.",
            "Free some. While nothing can be written, reading and deleting go on.",
        ),
        "gitignore_missing": (
            "Nothing keeps the store out of git.",
            "Its `.gitignore` was removed.",
            "Run `wellhead doctor --repair`.",
        ),
        "temporary_file_left": (
            "Temporary files are left.",
            "A process was killed while it wrote.",
            "Nothing is lost. The next write of a new process removes them; so does `wellhead doctor --repair`.",
        ),
        "side_file_orphaned": (
            "Files are left whose data source is gone.",
            "A record was removed by hand, or a process was killed while it deleted one.",
            "If the record was removed by mistake, restore it from a backup; else run `wellhead doctor --repair`.",
        ),
        "foreign_file": (
            "There are files that are not Wellhead's.",
            "An editor or a person left them.",
            "They are ignored. Look at them, and take them away.",
        ),
        "file_readable_by_others": (
            "Others may read or write files of the store.",
            "They were copied, or their mode was changed.",
            "Run `wellhead doctor --repair`, or chmod 600.",
        ),
        "file_of_another_user": (
            "Files of the store belong to another user.",
            "They were copied, or written by another user, such as root.",
            "Give them to the user who runs Wellhead: chown.",
        ),
        "workspace_id_lost": (
            "The store has lost its id, which its secrets are bound to.",
            "`workspace.json` was removed or damaged.",
            "Restore that file from a backup. Without it no secret opens, and each must be sent anew.",
        ),
        "key_ring_in_workspace": (
            "The key ring lies inside the workspace.",
            "It is copied and backed up together with the secrets that it opens.",
            "Move it to another directory, and set WELLHEAD_KEY_FILE.",
        ),
        "name_taken_twice": (
            "Several data sources have one name.",
            "A record was copied or edited by hand.",
            "Rename or remove all but one, by their ids.",
        ),
        "reference_unresolved": (
            "A secret's reference does not resolve here.",
            "The settings do not allow it, or the variable or the file is not there for this process.",
            "See the message. A service may have other settings and variables than this command.",
        ),
        "migration_waiting": (
            "A record is stored as an older version of its plugin wrote it.",
            "The plugin was upgraded. The record is migrated each time that it is read, and works.",
            "Nothing has to be done. `wellhead migrate --all` rewrites such records, and keeps a backup of each.",
        ),
        "history_damaged": (
            "A part of a history cannot be read.",
            "The file was cut off or edited, or a newer Wellhead wrote it.",
            "All else of it can be restored. Put the file back from a backup, or leave it.",
        ),
        "results_damaged": (
            "A part of the last results cannot be read.",
            "The file was cut off or edited.",
            "Validate the data source again, which writes the file anew without it, or delete the file.",
        ),
        "plugin_not_used": (
            "A plugin is installed and not used.",
            "It does not work, or another one has its name.",
            "See `wellhead types`.",
        ),
    },
)

CODES: dict[str, Code] = _REQUEST | _INPUT | _CONFLICT | _SERVICE | _CHECK | _PLUGIN | _FINDING
