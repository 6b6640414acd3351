"""Who may do what: token, request guard, and what experiments may name."""
