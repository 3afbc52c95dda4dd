"""VNish firmware and its white labels: the generation that refuses `version`, and the older one."""
