"""History: one row a minute in SQLite, with its writer, reader, and schema."""
