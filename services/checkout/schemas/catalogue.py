"""What is on sale."""

from pydantic import BaseModel


class VariantOut(BaseModel):
    sku: str
    size: str
    colour: str
    unit_price_minor: int
    available: int


class ProductOut(BaseModel):
    id: str
    name: str
    category: str
    description: str
    variants: list[VariantOut]


class ProductsOut(BaseModel):
    currency: str
    products: list[ProductOut]
