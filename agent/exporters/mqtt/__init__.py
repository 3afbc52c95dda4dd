"""MQTT: figures, units and events published without loss; curtailment and meters taken in. See README.md here."""
