"""What runs the pieces of a build: this process, several of this machine, or Ray."""
