"""Simulated firmware: replies and web pages."""
