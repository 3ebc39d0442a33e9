"""What can be evaluated: anything that answers a batch of inputs."""
