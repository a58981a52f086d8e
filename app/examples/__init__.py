"""A request and its answer for every branch point and way in: `openapi/examples`, and OpenAPI's own.

Requests are whole and work as they are. Answers are illustrations: the service's own functions made
them, but of a stand-in with invented numbers in a model's place, because a model is not a part of
the code.
"""

from app.examples.answers import Answerer
from app.examples.examples import FOLDER, Example, files_of, load_examples, show_in

__all__ = ["FOLDER", "Answerer", "Example", "files_of", "load_examples", "show_in"]
