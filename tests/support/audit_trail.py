"""Verified records of the audit trail of a database."""

from jeton.admin.audit_verification import AuditVerification
from jeton.bootstrap.from_settings import master_key_file
from jeton.crypto.master_key import parse_master_keys
from jeton.oauth.audit_events import AuditRecord
from jeton.storage.audit_records import load_by_chain
from jeton.storage.database import Database
from support.in_process_server import MASTER_KEY


def verified_records(database_url: str) -> list[AuditRecord]:
    """Return all records by chain. Fail if one was changed or is missing."""
    database = Database(database_url)
    file = None if database.file is None else master_key_file(database.file)
    # Servers without a configured master key have a key file beside the database.
    own_key = file.read_text() if file and file.exists() else ""
    with database.read() as connection:
        verification = AuditVerification(connection, parse_master_keys(f"{own_key} {MASTER_KEY}"))
        found = list(load_by_chain(connection))
        assert len(list(verification.run())) >= len(found)
    database.close()
    assert verification.problems == []
    return found
