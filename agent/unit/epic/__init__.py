"""ePIC firmware (PowerPlay), which serves HTTP on TCP 4028."""
