"""History: one row a minute in SQLite, its writer, reader, and schema."""
