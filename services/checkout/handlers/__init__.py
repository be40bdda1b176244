"""The HTTP side of checkout: translate, call one action, answer."""

from services.checkout.handlers import customers, orders, staff
from services.checkout.handlers.keys import LIVE, TILL

__all__ = ["LIVE", "ROUTES", "TILL"]

ROUTES = (*orders.routes, *customers.routes, *staff.routes)
