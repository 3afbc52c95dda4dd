"""MQTT: publishes figures, units and events without loss; receives orders and readings. See README.md."""
