"""Configuration: sections, value types, the TOML file, and its mistakes."""
