"""What a role of PostgreSQL may do with the audit trail: for a server, SELECT and INSERT suffice (ADR 0043)."""

from typing import Final

from sqlalchemy import Connection, text

from jeton.storage.tables import audit_checkpoints, audit_records

AUDIT_TABLES: Final = (audit_records.name, audit_checkpoints.name)
_MAY_CHANGE: Final = text("""
    SELECT bool_or(
        pg_has_role(relowner, 'MEMBER')
        OR has_any_column_privilege(oid, 'UPDATE')
        OR has_table_privilege(oid, 'DELETE, TRUNCATE, TRIGGER')
    )
    FROM pg_class WHERE oid IN ('audit_records'::regclass, 'audit_checkpoints'::regclass)
""")
# Rows are locked before they are deleted.
_MAY_DELETE: Final = text("""
    SELECT bool_and(has_table_privilege(oid, 'DELETE') AND has_table_privilege(oid, 'UPDATE'))
    FROM pg_class WHERE oid IN ('audit_records'::regclass, 'audit_checkpoints'::regclass)
""")


def may_change_audit_trail(connection: Connection) -> bool:
    """Return whether the role of this connection to PostgreSQL could change or delete what has been recorded."""
    return bool(connection.execute(_MAY_CHANGE).scalar_one())


def may_delete_audit_records(connection: Connection) -> bool:
    """Return whether this connection may delete what has expired."""
    return connection.dialect.name == "sqlite" or bool(connection.execute(_MAY_DELETE).scalar_one())
