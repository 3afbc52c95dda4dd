"""What Prometheus, Alertmanager and Grafana are given, and what generates and checks it; no part of the agent."""
