"""The cards that a signed-in shopper has had kept, as he sees them."""

from collections.abc import Sequence

from pydantic import BaseModel

from services.checkout.domain import SavedCard


class SavedCardOut(BaseModel):
    id: str
    brand: str
    last4: str
    exp_month: int
    exp_year: int


class SavedCardsOut(BaseModel):
    payment_methods: list[SavedCardOut]

    @classmethod
    def of(cls, cards: Sequence[SavedCard]) -> "SavedCardsOut":
        names = SavedCardOut.model_fields
        return cls(payment_methods=[SavedCardOut(**{name: getattr(card, name) for name in names}) for card in cards])
