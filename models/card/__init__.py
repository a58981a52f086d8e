"""The model card as people and other programs read it, drawn from `card.json` when it is asked for.

said                one place of a card, or nothing: a card is somebody else's document
source_attributes   what a reader may ask of a model (HTI-1), filled from the card or "not stated"
pictures            an evaluation as SVG, without a drawing library
page                HTML without scripts, that loads nothing
chai                the applied model card of the Coalition for Health AI, as XML
"""

from models.card.chai import chai_card
from models.card.page import STYLE_SHA256, card_page
from models.card.source_attributes import SourceAttribute, source_attributes

__all__ = ["STYLE_SHA256", "SourceAttribute", "card_page", "chai_card", "source_attributes"]
