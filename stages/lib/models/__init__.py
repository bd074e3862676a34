"""The networks: SlowFast backbones, relation heads, bank operators, losses, schedules and weight files."""
