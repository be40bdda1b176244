"""The monitor's rules, incidents, messages and memory, without a database or a broker."""
