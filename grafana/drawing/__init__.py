"""The dashboards in Python: the queries and texts of each panel. `grafana.build` writes the JSON that Grafana loads."""
