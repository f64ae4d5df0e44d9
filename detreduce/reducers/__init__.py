"""Methods that choose images; they know arrays, not images."""
