"""Unit identity: which unit answers at which address."""
