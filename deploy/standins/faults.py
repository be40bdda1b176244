"""Faults ordered through a stand-in's control address: what goes wrong, how often, and for whom."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError


@dataclass
class Fault:
    kind: str
    times: int | None  # how often it still strikes; None: until the faults are cleared
    recipient: str  # a pattern such as *@slow.example
    seconds: float
    struck: int = 0


class FaultOrder(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: str
    times: int | None = Field(default=1, ge=1)
    recipient: str = Field(default="*", max_length=320)
    seconds: float = Field(default=5, ge=0, le=3600)


class Faults:
    """The faults ordered so far. `kinds` names those this stand-in knows and says what each one does."""

    def __init__(self, kinds: Mapping[str, str]) -> None:
        self._kinds = kinds
        self.ordered: list[Fault] = []

    def order(self, kind: str, times: int | None = 1, recipient: str = "*", seconds: float = 5) -> Fault:
        if kind not in self._kinds:
            raise ValueError(f"unknown kind {kind!r}; known are {', '.join(self._kinds)}")
        fault = Fault(kind, times, recipient.lower(), seconds)
        self.ordered.append(fault)
        return fault

    def take(self, kinds: Iterable[str], recipients: Iterable[str] = ("",)) -> Fault | None:
        """The first fault of one of these kinds for one of these recipients; taking it uses it up once."""
        for fault in self.ordered:
            is_live = fault.times is None or fault.times > 0
            if is_live and fault.kind in kinds and _any_matches(fault.recipient, recipients):
                fault.struck += 1
                fault.times = None if fault.times is None else fault.times - 1
                return fault
        return None

    def clear(self) -> None:
        self.ordered.clear()

    def add_to(self, app: web.Application) -> None:
        app.router.add_get("/_control/faults", self._show)
        app.router.add_post("/_control/faults", self._take_order)
        app.router.add_delete("/_control/faults", self._clear)

    async def _show(self, _request: web.Request) -> web.Response:
        return web.json_response({"faults": [asdict(each) for each in self.ordered], "kinds": dict(self._kinds)})

    async def _take_order(self, request: web.Request) -> web.Response:
        try:
            order = FaultOrder.model_validate_json(await request.read())
            fault = self.order(**order.model_dump())
        except ValidationError as error:
            wrong = [f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()]
            return web.json_response({"errors": wrong}, status=422)
        except ValueError as error:
            return web.json_response({"errors": [f"kind: {error}"]}, status=422)
        return web.json_response(asdict(fault), status=201)

    async def _clear(self, _request: web.Request) -> web.Response:
        self.clear()
        return web.Response(status=204)


def _any_matches(pattern: str, recipients: Iterable[str]) -> bool:
    return any(fnmatchcase(each.lower(), pattern) for each in recipients)
