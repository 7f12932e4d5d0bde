"""Work that no request asked for: following the database, and deleting what has expired."""
