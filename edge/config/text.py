"""A string that knows where it was written, and the reason why a value is not accepted."""

from __future__ import annotations

from pathlib import Path

from edge.config.errors import Findable, Place, quoted


class Text(str):
    """A string of the document, after environment variables took their places.

    ``written`` is what the file says: messages quote it and not the value, which may be a secret.
    ``unset`` says that a variable in it is missing, so that the value means nothing.
    """

    __slots__ = ("directory", "unset", "where", "written")

    directory: Path
    """Where relative paths begin."""
    where: Findable
    unset: bool
    written: str

    @classmethod
    def at(cls, where: Findable, directory: Path, written: str, value: str | None) -> Text:
        """Return the text; ``value`` None means that it could not be made from the environment."""
        text = cls(written if value is None else value)
        text.where, text.directory, text.written, text.unset = where, directory, written, value is None
        return text

    @property
    def place(self) -> Place:
        """Where it was written."""
        return self.where.found()

    def __reduce__(self) -> tuple[object, ...]:
        """Copy and pickle with everything known of it."""
        return Text.at, (self.where, self.directory, self.written, None if self.unset else str(self))


def directory_of(value: object) -> Path:
    """Return where a relative path begins: at the file that holds it, else at the current directory."""
    return value.directory if isinstance(value, Text) else Path.cwd()


def shown(value: object) -> str:
    """Return a value of the document for a message: as the file has it, never as the environment has it."""
    return quoted(value.written if isinstance(value, Text) else value)


class Problem(ValueError):
    """Why a value is not accepted.

    ``says`` continues a sentence that begins with the value. ``detail`` may repeat parts of the value
    and is shown only where the file itself holds it. ``quote`` False keeps the value out of the message.
    """

    def __init__(self, says: str, hint: str = "", *, detail: str = "", quote: bool = True) -> None:
        super().__init__(says)
        self.says = says
        self.hint = hint
        self.detail = detail
        self.quote = quote
