"""A reading held against itself, its nameplate and a little memory."""
