"""What servers do for the audit trail: hourly checkpoints, and deletion of what has expired (ADR 0037, ADR 0043)."""

import structlog
from sqlalchemy import Connection

from jeton.admin.audit_checkpoints import AuditRetention
from jeton.background.purge import Deletion
from jeton.storage.audit_privileges import may_delete_audit_records

log = structlog.get_logger("jeton.audit")


def audit_deletion(retention: AuditRetention) -> Deletion:
    """Return what makes a checkpoint if one is due, and deletes expired records if the database role may."""
    is_logged = False

    def delete_expired(connection: Connection, now: int, limit: int) -> int:
        nonlocal is_logged
        retention.make_checkpoint(connection, now)
        if may_delete_audit_records(connection):
            return retention.delete_expired(connection, now, limit)
        if not is_logged:
            log.info(
                "expired_audit_records_kept", detail="this role may not delete them: run jeton audit purge as owner"
            )
            is_logged = True
        return 0

    return delete_expired
