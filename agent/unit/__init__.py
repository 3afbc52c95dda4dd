"""Reading one unit: reply bytes in, a `UnitReading` out."""
