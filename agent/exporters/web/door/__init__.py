"""The web server's door: TLS, users, tokens, roles and limits, from a file in the form of Prometheus' exporters."""
