"""The settings of safe_train's commands: one frozen dataclass per section."""
