"""Rules, runbooks and dashboards, with the code that generates and checks them; the agent never imports this."""
