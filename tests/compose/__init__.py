"""The stories that are told on the whole suite under `docker compose`: `make compose-test`."""
