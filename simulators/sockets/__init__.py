"""Sockets: API and web servers for many units."""
