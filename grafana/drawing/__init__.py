"""The dashboards, drawn in Python: what each panel asks and says; `grafana.build` makes the JSON that Grafana loads."""
