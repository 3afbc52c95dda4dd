"""LuxOS, the firmware of Luxor."""
