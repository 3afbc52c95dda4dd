"""Simulated firmware: API replies and web pages."""
