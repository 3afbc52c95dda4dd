"""HTTP server: JSON API, status page, and the `/metrics` endpoint."""
