"""What every service shares: time, signals, experiment, protocol, transport, journal."""
