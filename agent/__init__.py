"""hashsight: operating versus deployed hashrate of a Bitcoin mining site, and what took the rest."""

__version__ = "0.2.0"
