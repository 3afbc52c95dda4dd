"""API and web servers on real sockets, for many units at once."""
