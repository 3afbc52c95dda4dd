"""Braiins OS: boser on TCP 4028, of 2024 to 2026."""
