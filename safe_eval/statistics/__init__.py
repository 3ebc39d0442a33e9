"""Statistics on arrays, in pure NumPy: sampling → bootstrap → intervals → paired → seeds."""
