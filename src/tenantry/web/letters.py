"""Mails: a `Letter` says what it has to say once, and is drawn as text and as HTML."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import ChoiceLoader, Environment, FileSystemLoader, StrictUndefined, select_autoescape

from .translations import Translator

TEMPLATE_DIR = Path(__file__).parent / "templates"


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail in the reader's language. `action` is the one button: its label and address. `code` is shown large.

    `paragraphs` come before both, `closing` after.
    """

    subject: str
    paragraphs: Sequence[str] = ()
    action: tuple[str, str] | None = None
    code: str = ""
    closing: Sequence[str] = ()


class Letters:
    """Draws letters; `ctx.port(Letters)`. A product may replace `letter.html` and `letter.txt` in its templates."""

    def __init__(self, product_name: str, home: str, template_dirs: Sequence[Path] = ()) -> None:
        self._frame = {"product_name": product_name, "home": home}
        self._folders = (*template_dirs, TEMPLATE_DIR)
        self._made: Environment | None = None

    def render(self, letter: Letter, words: Translator) -> tuple[str, str]:
        """The text part and the HTML part. What a letter holds is escaped in the HTML, whoever wrote it."""
        values = {"letter": letter, "words": words, "language": words.locale.replace("_", "-"), **self._frame}
        return (
            self._environment.get_template("letter.txt").render(values),
            self._environment.get_template("letter.html").render(values),
        )

    @property
    def _environment(self) -> Environment:
        # Made for the first mail: most processes send none for a while.
        if self._made is None:
            self._made = Environment(
                loader=ChoiceLoader([FileSystemLoader(folder) for folder in self._folders]),
                autoescape=select_autoescape(["html"]),
                undefined=StrictUndefined,
                trim_blocks=True,
                lstrip_blocks=True,
                auto_reload=False,
            )
        return self._made
