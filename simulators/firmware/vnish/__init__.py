"""The API of VNish, in both its generations."""
