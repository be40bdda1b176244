"""A stand-in for a mail server: takes mail by SMTP, keeps it in memory, shows it, goes wrong when told to."""
