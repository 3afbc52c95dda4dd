"""Asks Alertmanager which alerts fire."""
