"""The monitor on real PostgreSQL and RabbitMQ, telling the stand-ins of Slack and of a mail server."""
