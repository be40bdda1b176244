"""The monitor's SQL, one function per statement."""
