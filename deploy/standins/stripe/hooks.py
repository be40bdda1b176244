"""Webhook endpoints: those the stand-in starts with, those that are set through control, those made by API."""

from dataclasses import replace

from deploy.standins.stripe.clock import Clock
from deploy.standins.stripe.config import API_VERSION, Endpoint
from deploy.standins.stripe.ids import new_id
from deploy.standins.stripe.tables import Json, Table


class Hooks:
    """The secrets stay here: no object of the API holds one."""

    def __init__(self, clock: Clock, endpoints: tuple[Endpoint, ...]) -> None:
        self._clock = clock
        self._endpoints: dict[str, Endpoint] = {}
        self.table = Table("webhook_endpoint", "webhook_endpoint")
        self.replace(endpoints)

    @property
    def enabled(self) -> tuple[Endpoint, ...]:
        return tuple(point for point in self._endpoints.values() if self._is_enabled(point.id))

    def replace(self, endpoints: tuple[Endpoint, ...]) -> None:
        self._endpoints.clear()
        self.table = Table("webhook_endpoint", "webhook_endpoint")
        for endpoint in endpoints:
            self.add(endpoint, api_version=API_VERSION)  # pinned to what events are rendered at, as a shop's should be

    def add(self, endpoint: Endpoint, **more: object) -> Json:
        endpoint = replace(endpoint, id=endpoint.id or new_id("we"))
        self._endpoints[endpoint.id] = endpoint
        return self.table.add(
            {
                "id": endpoint.id,
                "object": "webhook_endpoint",
                "api_version": None,
                "application": None,
                "created": self._clock.now(),
                "description": None,
                "enabled_events": list(endpoint.events),
                "livemode": False,
                "metadata": {},
                "status": "enabled",
                "url": endpoint.url,
                **more,
            }
        )

    def current(self, endpoint: Endpoint) -> Endpoint | None:
        """As it is now: its secrets may have been rolled since. None when it is disabled or gone."""
        return self._endpoints.get(endpoint.id) if self._is_enabled(endpoint.id) else None

    def follow(self, row: Json) -> None:
        """The row was changed by API."""
        point = self._endpoints[row["id"]]
        self._endpoints[row["id"]] = replace(point, url=row["url"], events=tuple(row["enabled_events"]))

    def remove(self, row: Json) -> None:
        row["deleted"] = True
        del self._endpoints[row["id"]]

    def roll(self, endpoint_id: str, secret: str, overlap_s: float) -> int:
        """The new secret signs beside the old ones until the overlap ends; how many there are now."""
        point = self._endpoints[endpoint_id]
        old = point.secrets
        self._endpoints[endpoint_id] = replace(point, secrets=(secret, *old) if overlap_s > 0 else (secret,))

        def end() -> None:
            now = self._endpoints.get(endpoint_id)
            if now is not None:
                kept = tuple(one for one in now.secrets if one not in old or one == now.secrets[0])
                self._endpoints[endpoint_id] = replace(now, secrets=kept)

        if overlap_s > 0:
            self._clock.later(overlap_s, end)
        return len(self._endpoints[endpoint_id].secrets)

    def _is_enabled(self, endpoint_id: str) -> bool:
        row = self.table.get(endpoint_id)
        return row is not None and row["status"] == "enabled" and not row.get("deleted")
