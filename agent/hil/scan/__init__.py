"""The scan of address ranges: which units answer there, and what they are."""
